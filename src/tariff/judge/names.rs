//! Judges destination names: a name that begins with a country's, at a prefix of another country.
//!
//! Does not know prices.

use std::collections::{BTreeSet, HashMap};

use super::{Kind, Remarks, World, is_short_code};
use crate::number::Country;
use crate::tariff::deck::Deck;

/// Countries by their usual English names in decks; several countries may share one. Names of few letters that are also
/// ordinary words or towns are left out.
const NAMES: &str = "AD Andorra|AE United Arab Emirates|AE UAE|AF Afghanistan|AG Antigua|AI Anguilla|AL Albania|AM Armenia|\
    AO Angola|AR Argentina|AS American Samoa|AT Austria|AU Australia|AW Aruba|AZ Azerbaijan|BA Bosnia|BB Barbados|\
    BD Bangladesh|BE Belgium|BF Burkina Faso|BG Bulgaria|BH Bahrain|BI Burundi|BJ Benin|BM Bermuda|BN Brunei|BO Bolivia|\
    BR Brazil|BS Bahamas|BT Bhutan|BW Botswana|BY Belarus|BZ Belize|CA Canada|CD Democratic Republic of Congo|CD Congo|\
    CG Congo|CF Central African|CH Switzerland|CI Ivory Coast|CI Cote d'Ivoire|CK Cook Islands|CL Chile|CM Cameroon|\
    CN China|CO Colombia|CR Costa Rica|CU Cuba|CV Cape Verde|CW Curacao|BQ Netherlands Antilles|CW Netherlands Antilles|\
    SX Netherlands Antilles|CY Cyprus|CZ Czech|DE Germany|DJ Djibouti|DK Denmark|DM Dominica|DO Dominican Republic|\
    DZ Algeria|EC Ecuador|EE Estonia|EG Egypt|ER Eritrea|ES Spain|ET Ethiopia|FI Finland|FJ Fiji|FK Falkland|\
    FM Micronesia|FO Faroe|FR France|GA Gabon|GB United Kingdom|GG United Kingdom|JE United Kingdom|IM United Kingdom|\
    GD Grenada|GE Georgia|GF French Guiana|GH Ghana|GI Gibraltar|GL Greenland|GM Gambia|GN Guinea|GP Guadeloupe|\
    BL Guadeloupe|MF Guadeloupe|GQ Equatorial Guinea|GR Greece|GT Guatemala|GU Guam|GW Guinea Bissau|\
    GY Guyana|HK Hong Kong|HN Honduras|HR Croatia|HT Haiti|HU Hungary|ID Indonesia|IE Ireland|IL Israel|IN India|IQ Iraq|\
    IR Iran|IS Iceland|IT Italy|VA Italy|JM Jamaica|JO Jordan|JP Japan|KE Kenya|KG Kyrgyzstan|KH Cambodia|KI Kiribati|\
    KM Comoros|KN Saint Kitts|KN St Kitts|KP Korea|KR Korea|KP North Korea|KR South Korea|KP Korea North|KR Korea South|\
    KW Kuwait|KY Cayman|KZ Kazakhstan|LA Laos|LB Lebanon|LC Saint Lucia|LC St Lucia|LI Liechtenstein|LK Sri Lanka|\
    LR Liberia|LS Lesotho|LT Lithuania|LU Luxembourg|LV Latvia|LY Libya|MA Morocco|EH Morocco|MC Monaco|MD Moldova|\
    ME Montenegro|MG Madagascar|MH Marshall Islands|MK Macedonia|MK North Macedonia|ML Mali|MM Myanmar|MN Mongolia|\
    MO Macau|MO Macao|MP Northern Mariana|MQ Martinique|MR Mauritania|MS Montserrat|MT Malta|MU Mauritius|MV Maldives|\
    MW Malawi|MX Mexico|MY Malaysia|MZ Mozambique|NA Namibia|NC New Caledonia|NE Niger|NF Norfolk Island|NG Nigeria|\
    NI Nicaragua|NL Netherlands|NO Norway|SJ Norway|NP Nepal|NR Nauru|NU Niue|NZ New Zealand|OM Oman|PA Panama|PE Peru|\
    PF French Polynesia|PG Papua New Guinea|PH Philippines|PK Pakistan|PL Poland|PM Saint Pierre|PM St Pierre|\
    PR Puerto Rico|PS Palestin|PT Portugal|PW Palau|PY Paraguay|QA Qatar|RE Reunion|YT Reunion|RO Romania|RS Serbia|\
    RU Russia|RW Rwanda|SA Saudi Arabia|SB Solomon Islands|SC Seychelles|SD Sudan|SE Sweden|SG Singapore|SH Saint Helena|\
    SI Slovenia|SK Slovakia|SL Sierra Leone|SM San Marino|SN Senegal|SO Somalia|SR Suriname|SS South Sudan|\
    ST Sao Tome|SV El Salvador|SY Syria|SZ Swaziland|SZ Eswatini|TC Turks|TD Chad|TG Togo|TH Thailand|TJ Tajikistan|\
    TK Tokelau|TL East Timor|TL Timor-Leste|TM Turkmenistan|TN Tunisia|TO Tonga|TR Turkey|TT Trinidad|TV Tuvalu|\
    TW Taiwan|TZ Tanzania|UA Ukraine|UG Uganda|US United States|US USA|UY Uruguay|UZ Uzbekistan|VA Vatican|\
    VC Saint Vincent|VC St Vincent|VE Venezuela|VG British Virgin|VI US Virgin|VN Vietnam|VU Vanuatu|WF Wallis|WS Samoa|\
    WS Western Samoa|YE Yemen|YT Mayotte|ZA South Africa|ZM Zambia|ZW Zimbabwe|GB UK|GG UK|JE UK|IM UK|GG Guernsey|\
    IM Isle of Man";

/// Name in small letters → its countries.
fn table() -> HashMap<String, Vec<Country>> {
    let mut table: HashMap<String, Vec<Country>> = HashMap::new();
    for entry in NAMES.split('|') {
        if let Some((code, name)) = entry.trim().split_once(' ')
            && let Some(country) = Country::parse(code)
        {
            table.entry(plain(name)).or_default().push(country);
        }
    }
    table
}

/// Words in small letters, apart by single blanks.
fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    out
}

/// Countries whose name stands at the front of a destination; the longest name decides.
fn named<'t>(table: &'t HashMap<String, Vec<Country>>, destination: &str) -> Option<&'t [Country]> {
    // `Lebanon, NJ` is a town.
    let town =
        destination.rsplit_once(", ").is_some_and(|(_, s)| s.len() == 2 && s.bytes().all(|b| b.is_ascii_uppercase()));
    if town {
        return None;
    }
    let words = plain(destination);
    let ends = words.match_indices(' ').map(|(i, _)| i).chain([words.len()]);
    // No country's name has more than four words.
    let fronts: Vec<usize> = ends.take(4).collect();
    fronts.iter().rev().find_map(|end| table.get(words.get(..*end)?)).map(Vec::as_slice)
}

pub(super) fn judge(deck: &Deck, world: &World<'_>, remarks: &mut Remarks) {
    let table = table();
    let by_name: Vec<Option<&[Country]>> = deck.names.iter().map(|name| named(&table, name)).collect();
    for row in &deck.rows {
        let Some(Some(countries)) = by_name.get(row.name as usize) else { continue };
        if is_short_code(row.prefix) {
            continue;
        }
        let mut there: BTreeSet<Country> = world.below(row.prefix).map(|r| r.country).collect();
        if there.is_empty() {
            there.extend(world.above(row.prefix).iter().map(|r| r.country));
        }
        if there.is_empty() || countries.iter().any(|c| there.contains(c)) {
            continue;
        }
        let name = deck.names.get(row.name as usize).map_or("", String::as_str);
        let shown: Vec<&str> = there.iter().map(Country::as_str).collect();
        let message = format!("{} is called {name:?}, and belongs to {}", row.prefix, shown.join(", "));
        remarks.push(Kind::WrongCountry, Some(row), message, "is the code right?");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_at_the_front_decides() {
        let table = table();
        for (destination, expected) in [
            ("Germany", "DE"),
            ("Germany Mobile", "DE"),
            ("GERMANY-Mobile", "DE"),
            ("Germanys", ""),
            ("Guinea Bissau Mobile", "GW"),
            ("Guinea", "GN"),
            ("Equatorial Guinea", "GQ"),
            ("Korea South", "KR"),
            ("Korea", "KP KR"),
            ("Cote d'Ivoire", "CI"),
            ("Lebanon, NJ", ""),
            ("Dominican Republic Mobile", "DO"),
            ("Inmarsat", ""),
            ("", ""),
        ] {
            let shown: Vec<&str> = named(&table, destination).unwrap_or(&[]).iter().map(Country::as_str).collect();
            assert_eq!(shown.join(" "), expected, "{destination}");
        }
    }
}
