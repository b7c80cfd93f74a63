//! The daemon as a service: what it tells the service manager, sockets that are opened for it, and the units.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use super::*;

/// What the service manager was told next.
fn told(manager: &UnixDatagram) -> String {
    let mut room = [0; 4096];
    let length = manager.recv(&mut room).unwrap_or_else(|e| panic!("the daemon says nothing: {e}"));
    String::from_utf8_lossy(&room[..length]).trim_end().to_owned()
}

#[test]
fn the_service_manager_is_told() {
    let place = Place::new();
    let socket = place.path("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let (records, api) = (free_port(), free_port());
    place.configured(records, api, "");
    let mut command = place.command(&["serve"]);
    command.env("NOTIFY_SOCKET", &socket).env("WATCHDOG_USEC", "400000");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert_eq!(told(&manager), "READY=1");
    // As `systemctl reload` may at once: it ends nobody.
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    // Whoever is told that it is ready can connect.
    TcpStream::connect(("127.0.0.1", records)).unwrap();
    TcpStream::connect(("127.0.0.1", api)).unwrap();
    for _ in 0..3 {
        assert_eq!(told(&manager), "WATCHDOG=1");
    }
    terminate(&child);
    let mut last = told(&manager);
    while last == "WATCHDOG=1" {
        last = told(&manager);
    }
    assert_eq!(last, "STOPPING=1");
    assert_eq!(wait(&mut child), 0);
}

/// A call of a minute that ended a moment ago.
fn record(id: &str) -> String {
    let answer = (Clock::wall().now().0 - 120_000_000) / 1000;
    json!({ "id": id, "source": "+4930600", "destination": "015123456789", "answer": answer, "duration": 60 })
        .to_string()
}

/// Legs that a daemon has rated since it was started.
fn rated(api: SocketAddr) -> u64 {
    let text = metrics::exposition(api);
    let of = |line: &str| line.strip_prefix("callrated_legs_rated_total{")?.rsplit(' ').next()?.parse::<u64>().ok();
    text.lines().filter_map(of).sum()
}

/// Starts the daemon as systemd does: the sockets from descriptor 3 on, and the process id beside them.
fn activated(place: &Place, sockets: &[&OwnedFd; 3]) -> Child {
    // A shell can move descriptors, which a test may not without `unsafe`.
    let moved = "exec 3<&0 4<&1 5<&2 0</dev/null 1>out 2>err; LISTEN_PID=$$ LISTEN_FDS=3 exec \"$0\" serve";
    let mut command = Command::new("sh");
    command.args(["-c", moved, PROGRAM]).current_dir(place.folder.path()).env_remove("RUST_LOG");
    let handed = |socket: &OwnedFd| Stdio::from(socket.try_clone().unwrap());
    command.stdin(handed(sockets[0])).stdout(handed(sockets[1])).stderr(handed(sockets[2])).spawn().unwrap()
}

#[test]
fn sockets_that_are_handed_over_lose_nothing_in_a_restart() {
    let place = Place::new();
    let streams = TcpListener::bind("127.0.0.1:0").unwrap();
    let records = streams.local_addr().unwrap();
    let datagrams = UdpSocket::bind(records).unwrap();
    let api = TcpListener::bind("127.0.0.1:0").unwrap();
    let api_at = api.local_addr().unwrap();
    place.configured(
        records.port(),
        api_at.port(),
        &format!("[[listen]]\nprotocol = \"udp\"\naddress = \"{records}\"\n"),
    );
    let sockets: [OwnedFd; 3] = [streams.into(), datagrams.into(), api.into()];
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let patience = Patience::new();
    for run in 1..=2 {
        // Nobody is there yet: a datagram, a connection with a record, and a question wait.
        sender.send_to(record(&format!("datagram{run}")).as_bytes(), records).unwrap();
        let mut stream = TcpStream::connect(records).unwrap();
        stream.write_all(format!("{{\"hello\":1}}\n{}\n", record(&format!("line{run}"))).as_bytes()).unwrap();
        let mut child = activated(&place, &[&sockets[0], &sockets[1], &sockets[2]]);
        let mut answers = BufReader::new(stream);
        let mut answer = String::new();
        while answer != "{\"durable\":1}\n" {
            answer.clear();
            assert!(answers.read_line(&mut answer).unwrap() > 0, "the daemon does not take the connection over");
        }
        while rated(api_at) < 2 {
            assert!(patience.lasts(), "the datagram is lost: {}", fs::read_to_string(place.path("err")).unwrap());
        }
        terminate(&child);
        assert_eq!(wait(&mut child), 0, "{}", fs::read_to_string(place.path("err")).unwrap());
        let said = fs::read_to_string(place.path("err")).unwrap();
        assert!(!said.contains("nothing listens"), "{said}");
    }
}

#[test]
fn the_units_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    let unit = |name: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name)).unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text.replace("/usr/bin/callrated", PROGRAM)).unwrap();
        path
    };
    let (service, socket) = (unit("callrated.service"), unit("callrated.socket"));
    let done = Command::new("systemd-analyze").args(["verify", "--man=no"]).args([service, socket]).output();
    match done {
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success() && said.is_empty(), "{}: {said}", done.status);
        }
        Err(error) if error.kind() == ErrorKind::NotFound => println!("skipped: systemd-analyze is not installed here"),
        Err(error) => panic!("{error}"),
    }
}
