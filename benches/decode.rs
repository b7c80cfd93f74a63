//! Nanoseconds a record from bytes to fields, and on into the batch: JSON beside a bare borrowed serde_json, CSV beside
//! csv-core. `cargo bench --bench decode`; with `--test` each runs once over few records.
//!
//! Before anything is measured a hash over all that is decoded is printed: equal hashes, equal work.

mod messages;

use std::borrow::Cow;
use std::hint::black_box;

use callrated::batch::{Batch, SourceId};
use callrated::record::Record;
use callrated::wire::radius;
use callrated::wire::{Carrier, Decoder, Format, Line, Origin, Scratch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use messages::{cisco_stop, csv, json};
use serde::Deserialize;
use xxhash_rust::xxh3::Xxh3;

fn main() {
    for (name, lines, format) in [("json", json(1000), Format::Json), ("csv", csv(1000), Format::Csv)] {
        println!("{name}: hash of 1000 records {:016x}", hash(&lines, format));
    }
    for name in MAPPED {
        let lines = mapped(name, 1000);
        println!("{name}: hash of 1000 records {:016x}", hash(&lines, format(name)));
    }
    for name in JSON_ACC {
        let lines: Vec<Vec<u8>> = json_accounting(name, 1000).into_iter().map(String::into_bytes).collect();
        println!(
            "json_acc {name}: hash of 1000 messages {:016x}",
            hash_messages(&lines, Decoder::new(format(name), "bench"))
        );
    }
    let syslog = acc(1000).into_iter().map(String::into_bytes).collect::<Vec<_>>();
    let by_syslog = carried_by(Carrier::Syslog { host_is_node: true });
    println!("syslog_acc: hash of 1000 pieces {:016x}", hash_messages(&syslog, by_syslog));
    println!(
        "hep_invite: hash of 1000 pieces {:016x}",
        hash_messages(&hep(1000), carried_by(Carrier::Hep { key: None }))
    );
    let packets: Vec<Vec<u8>> = (0..1000).map(cisco_stop).collect();
    println!("radius: hash of 1000 pieces {:016x}", hash_packets(&packets));
    divan::main();
}

fn carried_by(carrier: Carrier) -> Decoder {
    Decoder::carried(&Format::Auto, &Origin::new("bench"), carrier)
}

/// Over the canonical bytes of pieces and records.
fn hash_messages(messages: &[Vec<u8>], mut decoder: Decoder) -> u64 {
    let (mut hasher, mut scratch) = (Xxh3::new(), Scratch::default());
    for message in messages {
        match decoder.decode(message, &mut scratch) {
            Ok(Line::Piece(piece)) => add(&mut hasher, |canonical| piece.encode(canonical)),
            Ok(Line::Record(record)) => add(&mut hasher, |canonical| record.encode(canonical)),
            other => panic!("{other:?}"),
        }
    }
    hasher.digest()
}

fn hash_packets(packets: &[Vec<u8>]) -> u64 {
    let (mut hasher, mut scratch) = (Xxh3::new(), Scratch::default());
    let reading = radius::Reading::default();
    for packet in packets.iter().filter_map(|bytes| radius::Packet::read(bytes)) {
        match radius::decode(&packet, &reading, None, &mut scratch) {
            Ok(Line::Piece(piece)) => add(&mut hasher, |canonical| piece.encode(canonical)),
            other => panic!("{other:?}"),
        }
    }
    hasher.digest()
}

fn add(hasher: &mut Xxh3, encode: impl FnOnce(&mut Vec<u8>)) {
    let mut canonical = Vec::new();
    encode(&mut canonical);
    hasher.update(&canonical);
}

/// Formats of nodes whose decoders are mappings.
const MAPPED: [&str; 3] = ["asterisk-csv", "freeswitch-json", "freeswitch-xml"];
/// What Kamailio and OpenSIPS send as JSON.
const JSON_ACC: [&str; 2] = ["kamailio", "opensips"];

fn format(name: &str) -> Format {
    Format::named(name).unwrap_or_default()
}

/// Messages as those nodes write them: a whole captured leg of FreeSWITCH, its identity and numbers made new each time.
fn mapped(name: &str, count: usize) -> Vec<String> {
    let leg = include_str!("../tests/data/captures/freeswitch/cdr_1.json");
    let xml = include_str!("../tests/data/captures/freeswitch/http_xml_cdr.bin");
    // The first of the posted documents, which are percent-encoded.
    let xml = xml.split("cdr=").nth(1).unwrap_or_default().split("POST ").next().unwrap_or_default();
    let xml = String::from_utf8_lossy(&callrated::wire::posted::unwrap(format!("cdr={xml}").as_bytes())).into_owned();
    let line = |i: usize| {
        let (uuid, called) =
            (format!("{i:08x}-81f2-4d78-8749-68c64d536d7e"), format!("44113{:07}", i * 7 % 10_000_000));
        match name {
            "asterisk-csv" => format!(
                "\"acct-42\",\"442079460001\",\"{called}\",\"in\",\"\"\"Alice A\"\" <442079460001>\",\"PJSIP/sippin-{i:08x}\",\"PJSIP/uas-{i:08x}\",\"Dial\",\"PJSIP/uas/sip:{called}@127.0.0.1:5070,20\",\"2026-11-21 21:56:51\",\"2026-11-21 21:56:51\",\"2026-11-21 21:56:54\",3,3,\"ANSWERED\",\"DOCUMENTATION\",\"1795298211.{i}\",\"\",\"\",\"1795298211.{i}\",{i}"
            ),
            "freeswitch-xml" => {
                xml.replace("503dc1a5-81f2-4d78-8749-68c64d536d7e", &uuid).replace("441132960100", &called)
            }
            _ => leg.replace("503dc1a5-81f2-4d78-8749-68c64d536d7e", &uuid).replace("441132960100", &called),
        }
    };
    (0..count).map(line).collect()
}

/// Small in a test run, else enough that the lines do not stay in the first-level cache.
fn count() -> usize {
    if std::env::args().any(|a| a == "--test") { 100 } else { 20_000 }
}

/// Shows every record of some lines; what is none is left out.
fn records(lines: &[String], format: Format, scratch: &mut Scratch, mut show: impl FnMut(Record<'_>)) {
    let mut decoder = Decoder::new(format, "bench");
    for line in lines {
        if let Ok(Line::Record(record)) = decoder.decode(line.as_bytes(), scratch) {
            show(record);
        }
    }
}

/// Measures work over all lines, and counts lines and bytes.
fn measure<T>(bencher: Bencher<'_, '_>, lines: &[String], work: impl FnMut() -> T) {
    let bytes = BytesCount::new(lines.iter().map(String::len).sum::<usize>());
    bencher.counter(ItemsCount::new(lines.len())).counter(bytes).bench_local(work);
}

/// Kamailio's accounting within syslog.
fn acc(count: usize) -> Vec<String> {
    let line = |i: usize| {
        format!(
            "<181>Nov 21 22:01:47 kam1 kamailio[812]: ACC: transaction answered: timestamp={};method=INVITE;from_tag=f{i};to_tag=t{i};call_id={i:08x}-7d1c@10.0.0.1;code=200;reason=OK;src_user=+49301234{:05};dst_user=+4411329{:06};src_ip=10.0.0.1",
            1_795_297_591 + i,
            i % 100_000,
            i * 7 % 1_000_000,
        )
    };
    (0..count).map(line).collect()
}

/// Captured INVITEs in their packets.
fn hep(count: usize) -> Vec<Vec<u8>> {
    let packet = |i: usize| {
        let message = format!(
            "INVITE sip:+4411329{:06}@h SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK324a.{i}\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK-4264-1-0\r\nFrom: \"Alice A\" <sip:+49301234{:05}@h>;tag=f{i}\r\nTo: <sip:b@h>\r\nCall-ID: {i:08x}@h\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\nMax-Forwards: 69\r\nContent-Type: application/sdp\r\nContent-Length: 129\r\n\r\nv=0\r\n",
            i * 7 % 1_000_000,
            i % 100_000,
        );
        let mut packet = b"HEP3\0\0\0\0\0\x09\0\x0a\x6b\x02\x11\x36\0\0\0\x0f".to_vec();
        packet.extend((message.len() as u16 + 6).to_be_bytes());
        packet.extend(message.bytes());
        let length = packet.len() as u16;
        packet[4..6].copy_from_slice(&length.to_be_bytes());
        packet
    };
    (0..count).map(packet).collect()
}

#[divan::bench]
fn syslog_acc(bencher: Bencher<'_, '_>) {
    let lines: Vec<Vec<u8>> = acc(count()).into_iter().map(String::into_bytes).collect();
    carried(bencher, lines, Carrier::Syslog { host_is_node: true });
}

/// The same as JSON: an accounting event of Kamailio's acc_json, and a CDR of OpenSIPS within JSON-RPC.
#[divan::bench(args = JSON_ACC)]
fn json_acc(bencher: Bencher<'_, '_>, name: &str) {
    let lines = json_accounting(name, count());
    let mut scratch = Scratch::default();
    let format = format(name);
    measure(bencher, &lines, || {
        let mut decoder = Decoder::new(format.clone(), "bench");
        let mut sum = 0;
        for line in &lines {
            sum += match decoder.decode(line.as_bytes(), &mut scratch) {
                Ok(Line::Piece(piece)) => piece.record.destination.len(),
                Ok(Line::Record(record)) => record.destination.len(),
                other => panic!("{other:?}"),
            };
        }
        black_box(sum)
    });
}

fn json_accounting(name: &str, count: usize) -> Vec<String> {
    let line = |i: usize| {
        let (at, from, to) = (1_795_297_591 + i, i % 100_000, i * 7 % 1_000_000);
        match name {
            "kamailio" => format!(
                r#"{{"time": {at}, "method": "INVITE", "from_tag": "f{i}", "to_tag": "t{i}", "callid": "{i:08x}-7d1c@10.0.0.1", "sip_code": "200", "sip_reason": "OK", "src_user": "+49301234{from:05}", "dst_user": "+4411329{to:06}"}}"#
            ),
            _ => format!(
                r#"{{"jsonrpc":"2.0","method":"E_ACC_CDR","params":{{"method":"INVITE","from_tag":"f{i}","to_tag":"t{i}","callid":"{i:08x}-7d1c@10.0.0.1","sip_code":"200","sip_reason":"OK","time":{at},"caller":"+49301234{from:05}","callee":"+4411329{to:06}","duration":4,"ms_duration":3006,"setuptime":1,"created":{}}}}}"#,
                at - 1
            ),
        }
    };
    (0..count).map(line).collect()
}

#[divan::bench]
fn hep_invite(bencher: Bencher<'_, '_>) {
    carried(bencher, hep(count()), Carrier::Hep { key: None });
}

fn carried(bencher: Bencher<'_, '_>, messages: Vec<Vec<u8>>, carrier: Carrier) {
    let mut scratch = Scratch::default();
    let size = BytesCount::new(messages.iter().map(Vec::len).sum::<usize>());
    bencher.counter(ItemsCount::new(messages.len())).counter(size).bench_local(|| {
        let mut decoder = carried_by(carrier.clone());
        let mut sum = 0;
        for message in &messages {
            match decoder.decode(message, &mut scratch) {
                Ok(Line::Piece(piece)) => sum += piece.record.destination.len(),
                other => panic!("{other:?}"),
            }
        }
        black_box(sum)
    });
}

fn hash(lines: &[String], format: Format) -> u64 {
    let mut hasher = Xxh3::new();
    let mut canonical = Vec::new();
    records(lines, format, &mut Scratch::default(), |record| {
        canonical.clear();
        record.encode(&mut canonical);
        hasher.update(&canonical);
    });
    hasher.digest()
}

fn decode(bencher: Bencher<'_, '_>, lines: Vec<String>, format: Format) {
    let mut scratch = Scratch::default();
    measure(bencher, &lines, || {
        let mut sum = 0;
        records(&lines, format.clone(), &mut scratch, |record| sum += black_box(record).duration.map_or(0, |d| d.0));
        sum
    });
}

#[divan::bench]
fn json_decode(bencher: Bencher<'_, '_>) {
    decode(bencher, json(count()), Format::Json);
}

/// The same with an escape in the last text, which takes the general way.
#[divan::bench]
fn json_decode_escaped(bencher: Bencher<'_, '_>) {
    decode(bencher, json(count()).iter().map(|line| line.replace("opus", "op\\u0075s")).collect(), Format::Json);
}

/// The same with the last cell in quotes.
#[divan::bench]
fn csv_decode_quoted(bencher: Bencher<'_, '_>) {
    decode(bencher, csv(count()).iter().map(|line| line.replace("opus", "\"opus\"")).collect(), Format::Csv);
}

#[divan::bench]
fn csv_decode(bencher: Bencher<'_, '_>) {
    decode(bencher, csv(count()), Format::Csv);
}

/// Stops of a Cisco gateway, the longest packets there are in the trade: some 590 bytes, three times as text.
#[divan::bench]
fn radius_decode(bencher: Bencher<'_, '_>) {
    let packets: Vec<Vec<u8>> = (0..count()).map(cisco_stop).collect();
    let bytes = BytesCount::new(packets.iter().map(Vec::len).sum::<usize>());
    let (reading, mut scratch) = (radius::Reading::default(), Scratch::default());
    bencher.counter(ItemsCount::new(packets.len())).counter(bytes).bench_local(|| {
        let mut sum = 0;
        for packet in packets.iter().filter_map(|bytes| radius::Packet::read(bytes)) {
            if let Ok(Line::Piece(piece)) = radius::decode(&packet, &reading, None, &mut scratch) {
                sum += black_box(piece).record.duration.map_or(0, |d| d.0);
            }
        }
        sum
    });
}

/// The same with the signature, as the door asks for it.
#[divan::bench]
fn radius_verify(bencher: Bencher<'_, '_>) {
    let packets: Vec<Vec<u8>> = (0..count()).map(cisco_stop).collect();
    bencher.counter(ItemsCount::new(packets.len())).bench_local(|| {
        let read = packets.iter().filter_map(|bytes| radius::Packet::read(bytes));
        read.filter(|packet| radius::sign::is_genuine(packet, b"secret")).count()
    });
}

#[divan::bench]
fn json_decode_and_encode(bencher: Bencher<'_, '_>) {
    let lines = json(count());
    let mut scratch = Scratch::default();
    measure(bencher, &lines, || {
        let mut batch = Batch::new(SourceId(0));
        let mut sum = 0;
        records(&lines, Format::Json, &mut scratch, |record| {
            batch.push_record(&record);
            if batch.len() > 1 << 20 {
                sum += std::mem::replace(&mut batch, Batch::new(SourceId(0))).len();
            }
        });
        sum + batch.len()
    });
}

/// The same fields, numbers as floats, instants as text: the least any decoder on serde_json does.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Bare<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    node: Option<Cow<'a, str>>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    #[serde(borrow)]
    direction: Option<Cow<'a, str>>,
    #[serde(borrow)]
    forwarded_by: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    destination: Cow<'a, str>,
    #[serde(borrow)]
    start: Option<Cow<'a, str>>,
    #[serde(borrow)]
    answer: Option<Cow<'a, str>>,
    #[serde(borrow)]
    end: Option<Cow<'a, str>>,
    duration: Option<f64>,
    cause: Option<u32>,
    seq: Option<u64>,
}

#[divan::bench]
fn json_bare_serde(bencher: Bencher<'_, '_>) {
    let lines = json(count());
    measure(bencher, &lines, || {
        let mut sum = 0.0;
        for line in &lines {
            if let Ok(bare) = serde_json::from_str::<Bare<'_>>(line) {
                sum += black_box(bare).duration.unwrap_or_default();
            }
        }
        sum
    });
}

#[divan::bench]
fn csv_core(bencher: Bencher<'_, '_>) {
    let lines = csv(count());
    let text = lines.join("\n");
    measure(bencher, &lines, || {
        let mut reader = csv_core::Reader::new();
        let (mut out, mut ends) = ([0; 1024], [0; 32]);
        let mut rest = text.as_bytes();
        let mut sum = 0;
        while !rest.is_empty() {
            let (_, read, _, cells) = reader.read_record(rest, &mut out, &mut ends);
            rest = &rest[read..];
            sum += cells;
        }
        sum
    });
}

#[divan::bench(args = MAPPED)]
fn mapped_decode(bencher: Bencher<'_, '_>, name: &str) {
    // A leg of FreeSWITCH has nine kilobytes.
    decode(bencher, mapped(name, count() / 10), format(name));
}
