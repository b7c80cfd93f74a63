//! Every capture, message by message, as it was understood. The snapshots were read against what the software documents.

use callrated::wire::{Decoder, Format, Origin};

use super::*;

fn messages<'m>(decoder: &mut Decoder, messages: impl IntoIterator<Item = &'m [u8]>) -> String {
    messages.into_iter().map(|message| show(decoder, message) + "\n").collect()
}

#[test]
fn kamailio_json_through_dev_log() {
    let capture = capture("kamailio/devlog.bin");
    let origin = |ringing| Origin { talk_includes_ringing: ringing, ..Origin::new("kam") };
    let mut unset = syslog("auto", &origin(None));
    insta::assert_snapshot!("kamailio_json", messages(&mut unset, datagrams(&capture)));
    // The CDRs alone, by what the listener was told of them.
    let cdrs = || datagrams(&capture).into_iter().filter(|d| memchr::memmem::find(d, b"start_time").is_some());
    let mut with = syslog("kamailio", &origin(Some(true)));
    let mut without = syslog("kamailio", &origin(Some(false)));
    let all = messages(&mut with, cdrs()) + &messages(&mut without, cdrs());
    insta::assert_snapshot!("kamailio_cdrs", all);
}

/// The accounting gives whole seconds; the calls talked 3.006 and 1.204 s after half a second of ringing.
#[test]
fn kamailio_calls_without_their_ringing() {
    let capture = capture("kamailio/devlog.bin");
    let acc = datagrams(&capture).into_iter().filter(|d| memchr::memmem::find(d, b"start_time").is_none());
    let mut decoder = syslog("kamailio", &Origin::new("kam"));
    insta::assert_snapshot!("kamailio_calls", calls(&pieces(&mut decoder, acc)).join("\n"));
}

/// Another run, by all ways at once: the same calls in each (`same_run` compares them with what was captured).
#[test]
fn kamailio_calls_by_syslog_and_radius() {
    let lines = capture("kamailio_radius/devlog.bin");
    let acc = datagrams(&lines).into_iter().filter(|d| memchr::memmem::find(d, b"start_time").is_none());
    let by_syslog = calls(&pieces(&mut syslog("kamailio", &Origin::new("kam")), acc));
    let by_radius = calls(&same_run::radius_pieces(&capture("kamailio_radius/radius_raw.bin")));
    let by_hep = calls(&pieces(&mut hep(), packets(&capture("kamailio_radius/hep.bin"))));
    let all = [("syslog", by_syslog), ("radius", by_radius), ("hep", by_hep)];
    let all = all.map(|(way, calls)| format!("{way}\n{}\n", calls.join("\n"))).concat();
    insta::assert_snapshot!("kamailio_radius_calls", all);
}

#[test]
fn every_framing_of_logger_and_rsyslog_says_the_same() {
    let origin = Origin::new("default");
    let mut all = String::new();
    for name in [
        "udp_rfc3164_logger",
        "udp_rfc5424_logger",
        "tcp_lf_logger",
        "tcp_octet_logger",
        "rsyslog_udp",
        "rsyslog_tcp_lf_rfc3164",
        "rsyslog_tcp_octet_rfc5424",
    ] {
        let capture = capture(&format!("syslog/{name}.bin"));
        let mut decoder = syslog("auto", &origin);
        let mut frames = callrated::wire::octets::Frames::new(65_536);
        let mut rest = &capture[..];
        all += &format!("{name}\n");
        // Datagrams lie one behind the other in the capture.
        if name == "rsyslog_udp" {
            let second = memchr::memmem::rfind(rest, b"<181>").unwrap();
            all += &messages(&mut decoder, [&rest[..second], &rest[second..]]);
            continue;
        }
        while let Some(frame) = frames.next(rest, true) {
            if let callrated::wire::octets::Frame::Whole { from, to, .. } = frame {
                all += &messages(&mut decoder, [&rest[from..to]]);
            }
            rest = &rest[frame.consumed()..];
        }
    }
    insta::assert_snapshot!("syslog_framings", all);
}

#[test]
fn opensips_events() {
    let mut all = String::new();
    for name in ["opensips/evi_udp.bin", "opensips/evi_stream_http.bin"] {
        let capture = capture(name);
        let mut decoder = Decoder::of(&Format::named("opensips").unwrap(), &Origin::new("osips"));
        let mut values = callrated::wire::elements::Elements::stream(65_536);
        let mut rest = &capture[..];
        all += &format!("{name}\n");
        while let Some(element) = values.next(rest) {
            if let callrated::wire::elements::Element::Whole { from, to, .. } = element {
                all += &messages(&mut decoder, [&rest[from..to]]);
            }
            rest = &rest[element.consumed()..];
        }
        assert!(rest.is_empty() && values.end().is_ok());
    }
    insta::assert_snapshot!("opensips_events", all);
}

#[test]
fn captured_sip() {
    for name in ["kamailio", "opensips", "asterisk_sid", "freeswitch"] {
        let capture = capture(&format!("{name}/hep.bin"));
        insta::assert_snapshot!(format!("hep_{name}"), messages(&mut hep(), packets(&capture)));
        let calls = calls(&pieces(&mut hep(), packets(&capture)));
        insta::assert_snapshot!(format!("hep_{name}_calls"), calls.join("\n"));
    }
}

/// Samples under others' licences, where they are at hand.
#[test]
fn samples_at_the_desk() {
    let Some(samples) = std::env::var_os("CALLRATED_SAMPLES").map(std::path::PathBuf::from) else {
        println!("skipped: set CALLRATED_SAMPLES to the folder of samples");
        return;
    };
    let rows = std::fs::read(samples.join("audiocodes/sbc_signaling_cdr_syslog.txt")).unwrap();
    let mut decoder = syslog("auto", &Origin::new("sbc"));
    let found: Vec<String> =
        rows.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(|l| show(&mut decoder, l)).collect();
    let starts: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(starts, ["header", "skipped", "record"], "{found:#?}");
    let mut messages = 0;
    for file in std::fs::read_dir(samples.join("sip_text")).unwrap() {
        let message = std::fs::read(file.unwrap().path()).unwrap();
        messages += usize::from(callrated::wire::sip::read(&message).is_ok());
    }
    assert!(messages >= 10, "{messages} SIP messages were read");
}
