//! The spend guard from outside: what a call sets off reaches a receiver, whatever becomes of either.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::daemon::{Daemon, PATIENCE, Place, free_port, wait_for};
use super::lines;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A minute costs 0.10: five calls of one reach half of the limit, ten all of it.
const GUARDS: &str = "[[rule]]\nname = \"month\"\namount = \"1\"\nper = \"6h\"\nlevels = [50, 100]\n";

fn place() -> Place {
    let place = Place::new("0.10");
    place.write("rates/guards.toml", GUARDS);
    place.write("webhook.secret", SECRET);
    place
}

/// A receiver there, which has long enough for its answer on a machine that has much to do.
fn settings(port: u16) -> String {
    format!(
        "[[webhook]]\nname = \"noc\"\nurl = \"http://127.0.0.1:{port}/hook\"\nsecret = {{ file = \"webhook.secret\" }}\ntimeout = \"30s\""
    )
}

/// The receiver of the README, as it stands there.
struct Receiver {
    child: Child,
    said: mpsc::Receiver<String>,
    port: u16,
}

impl Receiver {
    fn start(place: &Place) -> Receiver {
        let readme = include_str!("../../README.md");
        let snippet = readme.split_once("```python\n").unwrap().1.split_once("\n```").unwrap().0;
        place.write("receiver.py", snippet);
        let port = free_port();
        let mut command = Command::new("python3");
        command.arg("receiver.py").current_dir(place.folder.path()).env("PORT", port.to_string());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (sender, said) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        wait_for("the receiver listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Receiver { child, said, port }
    }

    #[track_caller]
    fn next(&self) -> String {
        self.said.recv_timeout(PATIENCE).expect("the receiver hears something")
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request as it came.
#[derive(Debug)]
struct Heard {
    id: String,
    body: Value,
    stream: TcpStream,
}

impl Heard {
    /// The next request; of whoever was killed before all of it was said there is none.
    fn on(listener: &TcpListener) -> Heard {
        loop {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            if let Ok(heard) = Heard::whole(stream) {
                return heard;
            }
        }
    }

    fn whole(stream: TcpStream) -> std::io::Result<Heard> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut id, mut length, mut line) = (String::new(), 0, String::new());
        while reader.read_line(&mut line)? > 2 {
            let (name, value) = line.trim_end().split_once(": ").unwrap_or((&line, ""));
            match name.to_ascii_lowercase().as_str() {
                "webhook-id" => id = value.to_owned(),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
            line.clear();
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Heard { id, body: serde_json::from_slice(&body)?, stream })
    }

    fn answer(mut self, status: &str) -> String {
        // Who asked may have gone: it asks again.
        let _ = write!(self.stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        self.id
    }

    fn level(&self) -> u64 {
        self.body["data"]["level"].as_u64().unwrap()
    }
}

fn events(daemon: &Daemon) -> Vec<Value> {
    daemon.get("/v1/guard/events")["items"].as_array().unwrap().clone()
}

#[test]
fn the_readmes_receiver_checks_the_signature_and_hears() {
    let place = place();
    let receiver = Receiver::start(&place);
    let daemon = place.start(&settings(receiver.port), &[]);
    daemon.records(&lines("few", 4));
    assert!(daemon.ask("GET", "/metrics", "").unwrap().1.contains("level=\"100%\"} 0"), "seen before it happens");
    daemon.records(&lines("half", 1));
    assert_eq!(receiver.next(), "guard.threshold a account a: 0.5000 EUR per 6h, which is 50% or more of 1.0000 EUR");
    daemon.records(&lines("all", 5));
    assert!(receiver.next().contains("which is 100% or more"));
    // In the log, in metrics, over the API; the account is in no label.
    assert_eq!(daemon.metric("callrated_guard_events_total", "rule=\"month\",level=\"50%\""), 1);
    assert!(daemon.log().contains("spend guard, month 50%: account a: 0.5000 EUR"), "{}", daemon.log());
    wait_for("both are written down", || {
        events(&daemon)
            .iter()
            .all(|one| one["webhooks"][0]["given_up"].is_null() && one["webhooks"][0]["webhook"] == "noc")
    });
    let told = events(&daemon);
    assert_eq!(told.len(), 2);
    let data = &told[1]["event"]["data"];
    for (name, expected) in
        [("account", "a"), ("plan", "p"), ("what", "amount"), ("value", "1.0000"), ("limit", "1.0000"), ("unit", "EUR")]
    {
        assert_eq!(data[name], expected, "{data}");
    }
    for (name, expected) in [("node", "sbc"), ("id", "all-4"), ("country", "GB"), ("call_type", "international")] {
        assert_eq!(data["call"][name], expected, "{data}");
    }
    assert_eq!(daemon.get("/v1/guard/events?after=1")["items"].as_array().unwrap().len(), 1);
    assert_eq!(daemon.get("/v1/guard/events?account=b")["items"], Value::Array(Vec::new()));
    let stands = daemon.get("/v1/accounts/a/guard");
    assert_eq!(
        (&stands["rules"][0]["value"], &stands["rules"][0]["told"]),
        (&"1.0000".into(), &100.into()),
        "{stands}"
    );

    // Another key: the receiver takes nothing signed by it.
    let forged = place.folder.path().join("forged.toml");
    let text = fs::read_to_string(place.path("callrated.toml")).unwrap();
    fs::write(&forged, text.replace("webhook.secret", "other.secret")).unwrap();
    place.write("other.secret", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    for (config, code, expected) in [("callrated.toml", 0, "204"), ("forged.toml", 1, "401")] {
        let mut command = Command::new(super::daemon::program::program());
        let done =
            command.args(["--config", config, "guard", "test"]).current_dir(place.folder.path()).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(code), "{said}");
        assert!(said.starts_with(&format!("noc (http://127.0.0.1:{}/hook): {expected}", receiver.port)), "{said}");
    }
    assert_eq!(receiver.next(), "guard.test test a test: nothing was set off");
}

#[test]
fn a_receiver_that_is_away_hangs_fails_and_refuses_hears_each_event_in_the_end() {
    let place = place();
    let port = free_port();
    // What hangs is given up soon; whoever answers at all does so sooner.
    let daemon = place.start(&settings(port).replace("30s", "3s"), &[]);
    daemon.records(&lines("half", 5));
    // Nobody is there: rating goes on, and it is seen.
    wait_for("an attempt fails", || daemon.metric("callrated_guard_webhook_failures_total", "noc") > 0);
    daemon.records(&lines("all", 5));
    wait_for("both wait", || daemon.metric("callrated_guard_webhook_pending", "noc") == 2);
    wait_for("all is rated", || daemon.metric("callrated_legs_rated_total", "international") == 10);
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    // It hangs, …
    let hung = Heard::on(&listener);
    assert_eq!(hung.level(), 50);
    // … fails, and is asked again for the same.
    let failed = Heard::on(&listener);
    assert_eq!((failed.level(), &failed.id), (50, &hung.id));
    let first = failed.answer("500 Internal Server Error");
    // It refuses this very event: the other comes meanwhile.
    let refused = Heard::on(&listener);
    assert_eq!(refused.id, first);
    refused.answer("422 Unprocessable Content");
    let mut taken = Vec::new();
    for _ in 0..2 {
        let heard = Heard::on(&listener);
        taken.push((heard.level(), heard.answer("200 OK")));
    }
    assert_eq!(taken.iter().map(|one| one.0).collect::<Vec<_>>(), [100, 50]);
    assert_eq!(taken[1].1, first);
    wait_for("nothing waits", || daemon.metric("callrated_guard_webhook_pending", "noc") == 0);
    assert_eq!(daemon.metric("callrated_guard_webhook_deliveries_total", "noc"), 2);
    let away = daemon.log().matches("the webhook noc does not take events").count();
    assert!((1..=2).contains(&away), "one line each time it goes away, not one an attempt:\n{}", daemon.log());
}

#[test]
fn a_kill_between_event_and_delivery_loses_none_and_stores_it_once() {
    // Killed before anything is stored, and behind it.
    for stored in [false, true] {
        let place = place();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = format!("[flush]\nevery = \"1h\"\n{}", settings(listener.local_addr().unwrap().port()));
        let daemon = place.start(&settings, &[]);
        daemon.records(&lines("half", 5));
        let heard = Heard::on(&listener);
        if stored {
            assert_eq!(events(&daemon).len(), 1);
        }
        daemon.kill();
        let daemon = place.start(&settings, &[]);
        // Attempts of the daemon before may still lie in the listener's queue; all say the same.
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            loop {
                let again = Heard::on(&listener);
                let _ = sender.send((again.level(), again.id.clone()));
                again.answer("204 No Content");
            }
        });
        wait_for("it is written down", || {
            let told = events(&daemon);
            told.len() == 1 && told[0]["webhooks"][0]["webhook"] == "noc"
        });
        let before: Vec<(u64, String)> = said.try_iter().collect();
        assert!(!before.is_empty() && before.iter().all(|one| *one == (50, heard.id.clone())), "{before:?}");
        // A further call sets off nothing new, and a further start tells nothing again.
        daemon.records(&lines("more", 1));
        daemon.kill();
        let daemon = place.start(&settings, &[]);
        daemon.records(&lines("all", 4));
        assert_eq!(said.recv_timeout(PATIENCE).unwrap().0, 100);
        assert_eq!(events(&daemon).len(), 2);
    }
}

#[test]
fn rules_change_while_the_daemon_runs_and_a_mistake_changes_nothing() {
    let place = place();
    let daemon = place.start("", &[]);
    daemon.records(&lines("half", 5));
    assert_eq!(events(&daemon).len(), 1);
    place.write("rates/guards.toml", "[[rule]]\nname = \"month\"\namout = \"1\"\nper = \"6h\"\n");
    let (status, said) = daemon.ask("POST", "/v1/tariff/reload", "{}").unwrap();
    assert!(status >= 400 && said.contains("did you mean \\\"amount\\\"?"), "{status} {said}");
    assert_eq!(daemon.get("/v1/accounts/a/guard")["rules"][0]["limit"], "1.0000");
    place.write("rates/guards.toml", "[[rule]]\nname = \"month\"\namount = \"2\"\nper = \"6h\"\n");
    daemon.post("/v1/tariff/reload", "{}");
    let stands = daemon.get("/v1/accounts/a/guard");
    assert_eq!((&stands["rules"][0]["limit"], &stands["rules"][0]["value"]), (&"2.0000".into(), &"0.5000".into()));
    daemon.records(&lines("more", 14));
    assert_eq!(events(&daemon).len(), 1);
    daemon.records(&lines("all", 1));
    assert_eq!(events(&daemon).len(), 2);
}

/// A receiver behind TLS, which shows what certificate is in `shows` just now; what it was told.
fn behind_tls(shows: Arc<Mutex<Arc<ServerConfig>>>) -> (u16, mpsc::Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, told) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let config = shows.lock().unwrap().clone();
            let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            let mut reader = BufReader::new(&mut stream);
            let (mut length, mut line) = (0, String::new());
            // Who does not trust us says nothing.
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim_end().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length > 0 && reader.read_exact(&mut body).is_ok() {
                let _ = sender.send(serde_json::from_slice(&body).unwrap());
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                let _ = stream.flush();
            }
        }
    });
    (port, told)
}

/// An authority, as PEM, and a server's settings with a certificate of its for a name.
fn vouched_for(name: &str) -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (authority, Arc::new(config))
}

#[test]
fn over_tls_an_event_goes_to_nobody_but_whom_the_authority_vouches_for() {
    let place = place();
    let (authority, ours) = vouched_for("localhost");
    let (_, strangers) = vouched_for("localhost");
    let (another, elsewhere) = vouched_for("elsewhere.example");
    place.write("authority.pem", &format!("{authority}{another}"));
    let shows = Arc::new(Mutex::new(strangers));
    let (port, told) = behind_tls(shows.clone());
    let settings = settings(port).replace("http://127.0.0.1", "https://localhost") + "\nca = \"authority.pem\"";
    let daemon = place.start(&settings, &[]);
    let failures = || daemon.metric("callrated_guard_webhook_failures_total", "noc");
    daemon.records(&lines("half", 5));
    wait_for("a stranger is told nothing", || failures() > 0);
    // A name that is not the receiver's, though the authority vouches for it.
    *shows.lock().unwrap() = elsewhere;
    let before = failures();
    wait_for("nor is another host", || failures() > before);
    assert!(told.try_recv().is_err());
    *shows.lock().unwrap() = ours;
    assert_eq!(told.recv_timeout(PATIENCE).unwrap()["data"]["level"], 50);
    wait_for("it was taken", || daemon.metric("callrated_guard_webhook_deliveries_total", "noc") == 1);
}
