//! Numbers on which billing systems go wrong: prefixes of the world, shared calling codes, emergency numbers, texts
//! that are no numbers, tech prefixes.

use super::*;

/// Traps 30 to 33: one number in every country's dress.
#[test]
fn prefixes_of_the_world() {
    World::shipped().check(&[
        // 30: international prefixes.
        ("DE", "00441624123456", "+441624123456"),
        ("DE", "+441624123456", "+441624123456"),
        ("US", "011441624123456", "+441624123456"),
        ("BR", "0 11 2345 6789", "+551123456789"),
        ("BR", "00 15 1 212 555 0100", "+12125550100"),
        ("BR", "00 4930123456", "+4930123456"),
        ("BR", "00 55 11 96123 4567", "+5511961234567"),
        ("RU", "8~10 44 1624 123456", "+441624123456"),
        ("RU", "810441624123456", "+441624123456"),
        ("RU", "8w10 44 1624 123456", "+441624123456"),
        ("CU", "119 44 1624 123456", "+441624123456"),
        ("AU", "0011 44 1624 123456", "+441624123456"),
        ("FI", "990 44 1624 123456", "+441624123456"),
        ("UA", "0~0 44 1624 123456", "+441624123456"),
        ("DE", "000441624123456", "UnknownCallingCode"),
        ("DE", "00999123456", "UnknownCallingCode"),
        ("DE", "+0301234567", "UnknownCallingCode"),
        ("DE", "00 1 555 123", "WrongLength"),
        // 31: no prefix at all means what it means at home.
        ("US", "2065551234", "+12065551234"),
        // No valid number of Egypt either way: then it is a national one, as anything without a prefix is.
        ("EG", "2065551234", "+202065551234"),
        ("EG", "20625551234", "+20625551234"),
        ("BD", "8801712345678", "+8801712345678"),
        ("US", "8801712345678", "WrongLength"),
        ("DE", "30123456", "Local"),
        ("DE", "15123456789", "Local"),
        ("DE", "4930123456", "+4930123456"),
        ("DE", "4915123456789", "+4915123456789"),
        ("DE", "442079460001", "Local"),
        ("GB", "442079460001", "+442079460001"),
        ("GB", "2079460001", "+442079460001"),
        ("GB", "79460001", "Local"),
        ("US", "14155552671", "+14155552671"),
        ("US", "5552671", "Local"),
        ("US", "155526710", "WrongLength"),
        ("ES", "34912345678", "+34912345678"),
        ("ES", "912345678", "+34912345678"),
        ("IT", "390212345678", "+390212345678"),
        ("IT", "3931234567", "+393931234567"),
        ("IT", "393123456789", "+393123456789"),
        ("BR", "5511961234567", "+5511961234567"),
        ("BR", "5532201234", "+555532201234"),
        ("BR", "40041234", "+5540041234"),
        ("BR", "961234567", "Local"),
        ("RU", "74951234567", "+74951234567"),
        ("AU", "1300123456", "+611300123456"),
        ("AU", "131234", "+61131234"),
        // 32: trunk prefixes, and Italy that has none.
        ("GB", "020 7946 0018", "+442079460018"),
        ("GB", "+44 020 7946 0018", "+442079460018"),
        ("GB", "+44 (0) 20 7946 0018", "+442079460018"),
        ("DE", "0049 (0)30 123456", "+4930123456"),
        ("DE", "(0)30 123456", "+4930123456"),
        ("DE", "(030) 123456", "+4930123456"),
        ("HU", "06 1 234 5678", "+3612345678"),
        ("HU", "06 20 123 4567", "+36201234567"),
        ("DE", "+36 (06) 1 234 5678", "+3612345678"),
        ("RU", "8 800 555 35 35", "+78005553535"),
        ("RU", "8005553535", "+78005553535"),
        ("BY", "8 017 211 2345", "+375172112345"),
        ("LT", "0 612 34567", "+37061234567"),
        ("LT", "8 612 34567", "+37061234567"),
        ("IT", "06 698 12345", "+390669812345"),
        ("IT", "+39 (0)2 1234 5678", "+390212345678"),
        ("DE", "+39 (0)2 1234 5678", "+390212345678"),
        ("IT", "312 345 6789", "+393123456789"),
        ("JP", "+81 (0)3 1234 5678", "+81312345678"),
        ("FR", "+33 (0)1 23 45 67 89", "+33123456789"),
        ("DE", "+34 (0)912345678", "+34912345678"),
        // 33: +379 is assigned to the Vatican and not in use.
        ("IT", "+379 06698 12345", "UnknownCallingCode"),
        // 36 and 38: Brazil, Argentina, Mexico.
        ("BR", "0 15 11 9 8765 4321", "+5511987654321"),
        ("BR", "0300 123 4567", "+553001234567"),
        ("BR", "0500 123 456", "+55500123456"),
        ("BR", "0900 123 456", "+55900123456"),
        ("BR", "0800 123 4567", "+558001234567"),
        ("BR", "90 15 11 9 8765 4321", "short code"),
        ("BR", "9090 8765 4321", "short code"),
        ("AR", "011 15 2345 6789", "+5491123456789"),
        ("AR", "11 15 2345 6789", "+5491123456789"),
        ("AR", "0 351 15 234 5678", "+5493512345678"),
        ("AR", "011 2345 6789", "+541123456789"),
        ("AR", "+54 11 15 2345 6789", "+5491123456789"),
        ("DE", "0054 9 11 2345 6789", "+5491123456789"),
        ("MX", "044 55 1234 5678", "+525512345678"),
        ("MX", "045 55 1234 5678", "+525512345678"),
        ("MX", "01 55 1234 5678", "+525512345678"),
        ("MX", "55 1234 5678", "+525512345678"),
        ("US", "011 52 1 55 1234 5678", "+525512345678"),
        ("DE", "+52 55 1234 5678", "+525512345678"),
        // Local numbers of one area only.
        ("GG", "720123", "+441481720123"),
        ("AG", "4601234", "+12684601234"),
        ("CC", "8912 1234", "Local"),
    ]);
}

/// Traps 34 to 37: shared calling codes, kinds inside other kinds.
#[test]
fn countries_and_kinds() {
    let world = World::shipped();
    for (number, expected) in [
        ("+18765550123", "JM mobile"),
        ("+17872345678", "PR fixed_or_mobile"),
        ("+19392345678", "PR fixed_or_mobile"),
        ("+14165550123", "CA fixed_or_mobile"),
        ("+16712345678", "GU fixed_or_mobile"),
        ("+77011234567", "KZ mobile"),
        ("+74951234567", "RU fixed"),
        ("+441534456789", "JE fixed"),
        ("+447797712345", "JE mobile"),
        ("+441481256789", "GG fixed"),
        ("+447911123456", "GG mobile"),
        ("+441624756789", "IM fixed"),
        ("+447524123456", "IM mobile"),
        ("+447924123456", "IM mobile"),
        ("+447925123456", "GB mobile"),
        ("+447624123456", "IM mobile"),
        ("+4779123456", "SJ fixed"),
        ("+358181234567", "AX fixed"),
        ("+390669812345", "VA fixed"),
        ("+447012345678", "GB personal"),
        ("+447640123456", "GB pager"),
        ("+448431234567", "GB premium"),
        ("+448711234567", "GB premium"),
        ("+870773123456", "001 mobile"),
        ("+881612345678", "001 mobile"),
        ("+882161234567", "001 voip"),
        ("+80012345678", "001 toll_free"),
        ("+80812345678", "001 shared_cost"),
        ("+979123456789", "001 premium"),
        ("+18002345678", "US toll_free"),
        ("+18882345678", "US toll_free"),
        ("+19002345678", "US premium"),
        ("+12002345678", "US unknown"),
        // Reserved: 822 and 880 to 887, 889; and what looks like an area code.
        ("+18222345678", "US unknown"),
        ("+18802345678", "US unknown"),
        ("+18812345678", "US unknown"),
        ("+18872345678", "US unknown"),
        ("+18892345678", "US unknown"),
        ("+19115551212", "US unknown"),
        ("+18001234567", "US unknown"),
    ] {
        assert_eq!(world.class_of(number), expected, "{number}");
    }
}

/// Trap 41: only what was dialled exactly is an emergency number.
#[test]
fn emergency_numbers_and_short_codes() {
    World::shipped().check(&[
        ("DE", "110", "emergency"),
        ("DE", "1-1-2", "emergency"),
        ("DE", "sip:112@pbx.example;user=phone", "emergency"),
        ("DE", "tel:112;phone-context=example.com", "emergency"),
        ("DE", "urn:service:sos", "emergency"),
        ("DE", "urn:service:sos.police", "emergency"),
        ("DE", "urn:service:counseling", "NotDigits"),
        ("DE", "+112", "TooShort"),
        ("DE", "1120", "Local"),
        ("DE", "0110", "+49110"),
        ("DE", "11833", "short code"),
        ("DE", "118 33", "short code"),
        ("DE", "116117", "short code"),
        ("DE", "115", "short code"),
        ("US", "911", "emergency"),
        ("US", "112", "emergency"),
        ("US", "933", "emergency"),
        ("US", "988", "emergency"),
        ("US", "411", "short code"),
        ("US", "211", "short code"),
        ("US", "9115551212", "+19115551212"),
        ("US", "9911", "TooShort"),
        ("US", "999", "TooShort"),
        ("US", "72345", "WrongLength"),
        ("CA", "911", "emergency"),
        ("CA", "988", "emergency"),
        ("PR", "411", "short code"),
        ("GB", "999", "emergency"),
        ("GB", "112", "emergency"),
        ("GB", "101", "short code"),
        ("GB", "118500", "short code"),
        ("GB", "911", "TooShort"),
        ("BR", "190", "emergency"),
        ("BR", "192", "emergency"),
        ("BR", "10315", "short code"),
        ("AU", "000", "emergency"),
        ("FR", "15", "emergency"),
        ("FR", "3631", "short code"),
        ("FR", "118218", "short code"),
        ("RU", "01", "emergency"),
        ("CN", "10086", "short code"),
        ("NZ", "018", "short code"),
        ("EE", "1182", "short code"),
    ]);
}

/// Traps 42 and 44: what is no number, and what surrounds one.
#[test]
fn texts_that_are_no_numbers() {
    World::shipped().check(&[
        ("DE", "", "Absent"),
        ("DE", "  ", "Absent"),
        ("DE", "+", "Absent"),
        ("DE", "anonymous", "Absent"),
        ("DE", "Anonymous", "Absent"),
        ("DE", "RESTRICTED", "Absent"),
        ("DE", "unavailable", "Absent"),
        ("DE", "sip:anonymous@anonymous.invalid", "Absent"),
        ("DE", "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1", "Absent"),
        ("DE", "sip:@example.com", "Absent"),
        ("DE", "+266696687", "Absent"),
        ("DE", "+7378742833", "Absent"),
        ("DE", "\"Anonymous\" <sip:+4930123456@example.com>", "+4930123456"),
        ("DE", "\"A. <3> User\" <sip:+4930123456@example.com;user=phone>;tag=x", "+4930123456"),
        ("DE", "alice", "NotDigits"),
        ("DE", "sip:alice@example.com", "NotDigits"),
        ("DE", "sip:alice123@example.com", "NotDigits"),
        ("DE", "s", "NotDigits"),
        ("DE", "p", "NotDigits"),
        ("DE", "1-800-FLOWERS", "NotDigits"),
        ("DE", "0301234x5", "NotDigits"),
        ("DE", "030+123456", "NotDigits"),
        ("DE", "++4930123456", "NotDigits"),
        ("DE", "+49+30123456", "NotDigits"),
        ("DE", "０３０１２３４５６", "NotDigits"),
        ("DE", "٠٣٠١٢٣٤٥٦", "NotDigits"),
        ("DE", "*98", "NotDigits"),
        ("DE", "*67030123456", "NotDigits"),
        ("DE", "sip:192.0.2.17", "NotDigits"),
        ("DE", "sip:[2001:db8::1]", "NotDigits"),
        ("DE", "+4930123456789012", "TooLong"),
        ("DE", "00493012345678901234", "TooLong"),
        ("DE", "030123456789012345", "TooLong"),
        ("DE", "+1234567890123456789012345678901234567890123456789", "TooLong"),
        ("DE", "+4930", "TooShort"),
        ("DE", "+49 30 123456,,123#", "+4930123456"),
        ("DE", "030123456p99", "+4930123456"),
        ("DE", "030123456W99*1", "+4930123456"),
        ("DE", "0,030123456", "NotDigits"),
        ("DE", "0w030123456", "NotDigits"),
        ("DE", "sip:+4930123456@host:5060;transport=tcp", "+4930123456"),
        ("DE", "SIPS:+4930123456@host", "+4930123456"),
        ("DE", "sip:+4930123456:secret@host", "+4930123456"),
        ("DE", "sip:%2B4930123456@host", "+4930123456"),
        ("DE", "sip:+4930123456;npdi;rn=+4989@host;user=phone", "+4930123456"),
        ("DE", "sip:030123456", "+4930123456"),
        ("DE", "<sip:030123456@10.0.0.1>", "+4930123456"),
        ("DE", "030123456@10.0.0.1", "+4930123456"),
        ("DE", "tel:+49-30-123456;ext=12", "+4930123456"),
        ("DE", "+4930123456;ext=12", "+4930123456"),
        ("DE", "tel:+49-30-123456;isub=12", "+4930123456"),
        ("DE", "tel:123456;phone-context=+4930", "+4930123456"),
        ("DE", "tel:030123456;phone-context=example.com", "+4930123456"),
        ("DE", "sip:123456;phone-context=+49-30@host", "+4930123456"),
        ("DE", "tel:+49/30.123-456", "+4930123456"),
    ]);
}

/// Trap 39: only what is configured is stripped, and nothing is guessed.
#[test]
fn tech_prefixes() {
    let world = World::shipped();
    let strip: Vec<String> = ["99914", "999", "1234#", "*67", "#31#"].map(String::from).to_vec();
    let us = world.countries.get(Country::parse("US").unwrap()).unwrap();
    for (text, expected) in [
        ("9991414155551212", "+14155551212"),
        ("99914 (415) 555-1212", "+14155551212"),
        ("99914+14155551212", "+14155551212"),
        ("99914011493012345", "+493012345"),
        ("1234#14155551212", "+14155551212"),
        ("*67 415 555 1212", "+14155551212"),
        ("#31#+14155551212", "+14155551212"),
        ("*671234#14155551212", "+14155551212"),
        ("1234#*6714155551212", "+14155551212"),
        ("*679991414155551212", "+14155551212"),
        // One prefix of digits only, the longest.
        ("99999914155551212", "WrongLength"),
        ("9994155551212", "+14155551212"),
        // Configured, so stripped, though the whole would be a number too.
        ("9992345678", "Local"),
        // Not configured, so not stripped.
        ("*6914155551212", "NotDigits"),
        ("99814155551212", "WrongLength"),
        ("1235#14155551212", "NotDigits"),
        ("+9991414155551212", "UnknownCallingCode"),
        ("*67", "Absent"),
        ("*67anonymous", "NotDigits"),
    ] {
        let dialled = Dialled::read(text.as_bytes()).stripped(&strip);
        let got = world.show(us.normalise(&dialled, &world.countries, Some(world.plan())));
        assert_eq!(got, expected, "{text}");
    }
    let emergency = Dialled::read(b"99914911").stripped(&strip);
    assert_eq!(us.special(&emergency), Some(Special::Emergency));
}

#[test]
fn without_a_country() {
    World::shipped().check(&[
        ("", "+4930123456", "+4930123456"),
        ("", "4930123456", "+4930123456"),
        ("", "442079460001", "+442079460001"),
        ("", "+49 (0)30 123456", "+4930123456"),
        ("", "1415555267", "WrongLength"),
        ("", "33123", "WrongLength"),
        ("", "030123456", "UnknownCallingCode"),
        ("", "0049301234", "UnknownCallingCode"),
        ("", "112", "TooShort"),
        ("", "anonymous", "Absent"),
    ]);
}
