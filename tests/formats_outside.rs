//! The program from outside: a node posts as FreeSWITCH does, a file grows as Asterisk's does, an Asterisk is called, and all
//! are rated.

// A test from outside measures the world, so it asks the world for the time.
#![allow(clippy::disallowed_methods)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[path = "process/ports.rs"]
mod ports;

use ports::free_port;

/// Longest wait for anything: far beyond what a loaded machine needs, so that a hang is a failure and not a hang.
const PATIENCE: Duration = Duration::from_secs(120);

struct Daemon {
    child: Child,
    node: u16,
    http: u16,
    folder: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request, whose body is sent only after `100 Continue` if it is expected; status and answer.
fn post(port: u16, path: &str, kind: &str, body: &[u8], expect: bool) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let wish = if expect { "Expect: 100-continue\r\n" } else { "" };
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{wish}Connection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    let mut head = [0; 25];
    if expect {
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 100 Continue\r\n\r\n");
    }
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

impl Daemon {
    /// With what else stands in the configuration.
    fn start(more: &str) -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let rates = folder.path().join("rates");
        std::fs::create_dir_all(rates.join("decks")).unwrap();
        std::fs::create_dir_all(folder.path().join("cdr-csv")).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("rates");
        for file in ["countries.toml", "numbering.csv"] {
            std::fs::copy(shipped.join(file), rates.join(file)).unwrap();
        }
        for (file, text) in [
            (
                "plans.toml",
                "[plan.gb]\ncountry = \"GB\"\ncurrency = \"GBP\"\nincluded_minutes = 2000\noverage_rate = \"0.01\"\ndecks = [\"world\"]\n",
            ),
            ("decks/world.csv", "prefix,destination,rate\n49,Germany,0.03\n"),
            (
                "accounts.csv",
                "account,plan,country,billing_start,timezone,language,extensions\nacct-42,gb,GB,2020-01-01,UTC,en,\n",
            ),
            ("numbers.csv", "number,account\n+442079460001,acct-42\n"),
        ] {
            std::fs::write(rates.join(file), text).unwrap();
        }
        let (node, http) = (free_port(), free_port());
        let config = format!(
            "rates_dir = \"rates\"\ndata_dir = \"data\"\n[flush]\nevery = \"1s\"\n\
             [[listen]]\nprotocol = \"http\"\naddress = \"127.0.0.1:{node}\"\nformat = \"freeswitch\"\nnode = \"fs1\"\n\
             [[watch]]\nfolder = \"cdr-csv\"\npattern = \"Master.csv\"\nformat = \"asterisk-csv\"\nnode = \"pbx1\"\n\
             [http]\naddress = \"127.0.0.1:{http}\"\n{more}"
        );
        std::fs::write(folder.path().join("callrated.toml"), config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_callrated"))
            .current_dir(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.is_ok_and(|l| l.contains("is ready"))), "the daemon did not become ready");
        std::thread::spawn(move || lines.for_each(drop));
        Daemon { child, node, http, folder }
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// The sum of a metric over its labels that contain a text.
    fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics");
        let values = text.lines().filter(|l| l.starts_with(name) && l.contains(label));
        values.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    fn until(&self, name: &str, label: &str, count: u64) {
        let begun = Instant::now();
        while self.metric(name, label) != count {
            assert!(begun.elapsed() < PATIENCE, "{name} {label} is {}, not {count}", self.metric(name, label));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A leg of FreeSWITCH answered a minute ago, since answers of another age would wait in suspense.
fn leg(uuid: &str, direction: &str) -> String {
    let answer = jiff::Timestamp::now().as_microsecond() - 60_000_000;
    format!(
        r#"{{"variables":{{"uuid":"{uuid}","direction":"{direction}","accountcode":"acct-42","sip_from_user":"442079460001","sip_req_user":"441132960100","answer_uepoch":"{answer}","end_uepoch":"{}","billusec":"1203793"}}}}"#,
        answer + 1_203_793
    )
}

#[test]
fn posts_and_files_of_nodes_are_rated() {
    let daemon = Daemon::start("");
    let body = leg("u-1", "inbound");
    let safe = (200, r#"{"durable":1,"refused":[]}"#.to_owned());
    assert_eq!(post(daemon.node, "/json_cdr?uuid=u-1", "application/json", body.as_bytes(), true), safe);
    // A retry is the same body once more, here through another module and the API.
    let form = format!("cdr={body}");
    assert_eq!(post(daemon.node, "/x?uuid=a_u-1", "application/x-www-form-plaintext", form.as_bytes(), false), safe);
    let path = "/v1/calls?format=freeswitch&node=fs1&uuid=u-1";
    assert_eq!(post(daemon.http, path, "application/x-www-form-urlencoded", form.as_bytes(), false), safe);
    // The other leg is no record of ours, and what nobody can read stays with the node.
    let other = leg("u-2", "outbound");
    assert_eq!(post(daemon.node, "/", "", other.as_bytes(), false).1, r#"{"durable":0,"refused":[]}"#);
    assert_eq!(post(daemon.node, "/", "application/json", b"cdr=huh", false).0, 422);
    assert_eq!(post(daemon.http, "/v1/calls?format=freeswich", "", b"{}", false).0, 400);
    assert_eq!(daemon.metric("callrated_records_skipped_total", "other_leg"), 1);
    daemon.until("callrated_legs_rated_total", "", 1);
    daemon.until("callrated_records_duplicate_total", "", 2);
    assert_eq!(daemon.metric("callrated_records_conflict_total", ""), 0);

    let stamp = |seconds: i64| {
        let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - seconds).unwrap();
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let row = |sequence: u32, disposition: &str| {
        format!(
            "\"acct-42\",\"442079460001\",\"441132960100\",\"in\",\"\",\"c\",\"d\",\"Dial\",\"\",\"{0}\",\"{0}\",\"{1}\",60,60,\"{disposition}\",\"DOCUMENTATION\",\"17.0\",\"\",\"\",\"17.0\",{sequence}\n",
            stamp(70),
            stamp(10)
        )
    };
    let file = daemon.folder.path().join("cdr-csv/Master.csv");
    std::fs::write(&file, row(1, "ANSWERED") + &row(2, "NO ANSWER")).unwrap();
    daemon.until("callrated_records_received_total", "format=\"asterisk-csv\"", 2);
    daemon.until("callrated_legs_rated_total", "", 2);
    // PBXs that push their own JSON, and rows that somebody fetched.
    let made = jiff::Timestamp::now().as_second() - 70;
    let newcdr = format!(
        r#"{{"event":"NewCdr","callid":"{made}.5","timestart":"{}","callfrom":"442079460001","callto":"441132960100","callduraction":"19","talkduraction":"14","srctrunkname":"","status":"ANSWERED","type":"Outbound","sn":"3"}}"#,
        stamp(70)
    );
    let report = format!(
        r#"{{"type":30012,"sn":"3","msg":"{{\"call_id\":\"{made}.6\",\"time_start\":\"{}\",\"call_from\":\"442079460001\",\"call_to\":\"441132960100\",\"call_duration\":24,\"talk_duration\":21,\"src_trunk_name\":\" \",\"status\":\"ANSWERED\",\"type\":\"Outbound\"}}"}}"#,
        stamp(70)
    );
    let row = format!(
        "62,acct-42,442079460001,441132960100,from-internal,\"pn01\" <5300>,SIP/5300-0,SIP/5301-1,Dial,SIP/5301,60,,{0},{0},{1},60,60,ANSWERED,DOCUMENTATION,{made}.0,EXT,5300,5301,s\n",
        stamp(70),
        stamp(10)
    );
    for (rated, (format, kind, body)) in (3..).zip([
        ("yeastar", "application/json", newcdr),
        ("yeastar-p", "text/plain", report),
        ("grandstream", "", row),
    ]) {
        let path = format!("/v1/calls?format={format}&node={format}");
        for _ in 0..2 {
            assert_eq!(post(daemon.http, &path, kind, body.as_bytes(), false), safe, "{format}");
        }
        daemon.until("callrated_legs_rated_total", "", rated);
        daemon.until("callrated_records_duplicate_total", "", rated);
    }
    assert_eq!(daemon.metric("callrated_records_conflict_total", ""), 0);
}

/// An Asterisk that is called: it is logged in to, its call is rated, it is restarted, and everybody who asks is told what may
/// be missing. What it says again is no second call, nor is the row of its file.
#[test]
fn an_asterisk_is_called() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let daemon = Daemon::start(&format!(
        "[[connect]]\nprotocol = \"ami\"\naddress = \"{address}\"\nuser = \"u\"\nsecret = \"s3cret\"\nnode = \"pbx1\"\n"
    ));
    let let_in = |listener: &TcpListener| {
        let (mut node, _) = listener.accept().unwrap();
        node.set_read_timeout(Some(PATIENCE)).unwrap();
        node.write_all(b"Asterisk Call Manager/11.0.0\r\n").unwrap();
        let login = b"Action: Login\r\nUsername: u\r\nSecret: s3cret\r\nEvents: cdr\r\n\r\n";
        let mut said = vec![0; login.len()];
        node.read_exact(&mut said).unwrap();
        assert_eq!(String::from_utf8_lossy(&said), String::from_utf8_lossy(login));
        node.write_all(b"Response: Success\r\nMessage: Authentication accepted\r\n\r\n").unwrap();
        node
    };
    let stamp = |seconds: i64| {
        let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - seconds).unwrap();
        at.strftime("%Y-%m-%d %H:%M:%S").to_string()
    };
    let (start, end) = (stamp(70), stamp(10));
    let event = format!(
        "Event: Cdr\r\nPrivilege: cdr,all\r\nAccountCode: acct-42\r\nSource: 442079460001\r\nDestination: 441132960100\r\nStartTime: {start}\r\n\
         AnswerTime: {start}\r\nEndTime: {end}\r\nDuration: 60\r\nBillableSeconds: 60\r\nDisposition: ANSWERED\r\nAMAFlags: DOCUMENTATION\r\nUniqueID: 17.0\r\nSequence: 1\r\n\r\n"
    );
    let mut node = let_in(&listener);
    node.write_all(event.as_bytes()).unwrap();
    let label = format!("connect:{address}");
    daemon.until("callrated_legs_rated_total", "", 1);
    assert_eq!(daemon.metric("callrated_source_connected", &label), 1);
    assert_eq!(daemon.metric("callrated_records_received_total", "format=\"asterisk-ami\""), 1);
    // It goes down in the middle of an event.
    node.write_all(&event.as_bytes()[..100]).unwrap();
    drop(node);
    daemon.until("callrated_source_connected", &label, 0);
    let ready = daemon.get("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200") && ready.contains("ready\n"), "{ready}");
    assert!(ready.contains(&format!("{label} is not connected (")) && ready.contains("is missing"), "{ready}");
    // It is called again and again, and does not greet yet.
    while daemon.metric("callrated_source_gap_seconds_total", &label) == 0 {
        drop(listener.accept().unwrap());
    }
    let mut node = let_in(&listener);
    node.write_all(event.as_bytes()).unwrap();
    daemon.until("callrated_records_duplicate_total", "", 1);
    let row = format!(
        "\"acct-42\",\"442079460001\",\"441132960100\",\"in\",\"\",\"c\",\"d\",\"Dial\",\"\",\"{start}\",\"{start}\",\"{end}\",60,60,\"ANSWERED\",\"DOCUMENTATION\",\"17.0\",\"\",\"\",\"17.0\",1\n"
    );
    std::fs::write(daemon.folder.path().join("cdr-csv/Master.csv"), row).unwrap();
    daemon.until("callrated_records_duplicate_total", "", 2);
    assert_eq!(daemon.metric("callrated_legs_rated_total", ""), 1);
    let status = daemon.get("/v1/status");
    let status = &status[status.find("\"sources\":[").unwrap()..];
    assert!(status.contains("\"connected\":true") && status.contains("\"missed_to\":\"2"), "{status}");
}
