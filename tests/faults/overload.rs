//! Nodes that stall, do not listen, or send more than is taken: they hurt nobody but themselves.

use std::net::UdpSocket;

use super::daemon::{Place, wait_for};
use super::*;

#[test]
fn one_noisy_or_slow_node_starves_no_other() {
    let place = Place::new("0.25");
    let daemon = place.start("[flush]\nevery = \"100ms\"\ncalls = 5000\n", &[]);
    // Half a line, and nothing more.
    let mut stalled = TcpStream::connect(("127.0.0.1", daemon.tcp)).unwrap();
    stalled.write_all(b"{\"id\":\"half a rec").unwrap();
    let mut opened = Dialogue::open(&daemon);
    opened.stream.write_all(b"{\"id\":\"the other half").unwrap();
    // Each line is refused with many more bytes than it has, and nobody reads the answers.
    let deaf = Dialogue::open(&daemon);
    let mut shouting = deaf.stream.try_clone().unwrap();
    shouting.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
    let shouting = std::thread::spawn(move || {
        let garbage = "huh\n".repeat(16 << 10);
        // Ends when the daemon does not read any more.
        let mut written = 0;
        while written < 1 << 28 && shouting.write_all(garbage.as_bytes()).is_ok() {
            written += garbage.len();
        }
        written
    });
    // Plain senders that send as fast as they can.
    let noise: String = lines("noise", 20_000).iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let noisy: Vec<_> = (0..3)
        .map(|_| {
            let (noise, port) = (noise.clone(), daemon.tcp);
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.write_all(noise.as_bytes()).unwrap();
            })
        })
        .collect();
    // Somebody who sends a record at a time and waits for each.
    let polite = lines("polite", 100);
    let mut dialogue = Dialogue::open(&daemon);
    for (n, line) in polite.iter().enumerate() {
        assert_eq!(dialogue.send(std::slice::from_ref(line), n), (n + 1, String::new()));
    }
    for thread in noisy {
        thread.join().unwrap();
    }
    assert!(shouting.join().unwrap() < 1 << 28, "a node that does not listen must be stopped from shouting");
    // The same records three times: taken once each.
    wait_for("the noise", || daemon.metric("callrated_records_duplicate_total", "") == 40_000);
    assert_eq!(usage(&daemon).0, 20_100);
    all_stored(&daemon);
    assert_eq!(stored(&place), 20_100);
    // Those who stalled were not forgotten.
    opened.stream.write_all(&[lines("late", 1)[0].replacen("{\"id\":\"", "", 1).as_bytes(), b"\n"].concat()).unwrap();
    assert_eq!(opened.answer(), "{\"durable\":1}\n");
    drop((stalled, deaf));
    // Every queue is told of, and empty now.
    let metrics = daemon.ask("GET", "/metrics", "").unwrap().1;
    for queue in ["outbox", "controls", "road", "shard-0", "shard-1", "parts"] {
        assert!(metrics.contains(&format!("callrated_queue_depth{{queue=\"{queue}\"}}")), "{queue}:\n{metrics}");
    }
    wait_for("empty queues", || daemon.metric("callrated_queue_depth", "") == 0);
}

#[test]
fn of_datagrams_what_was_sent_was_received_or_dropped() {
    let place = Place::new("0.25");
    let udp = daemon::free_port();
    let settings = format!("[[listen]]\nprotocol = \"udp\"\naddress = \"127.0.0.1:{udp}\"\nreceive_buffer = 65536\n");
    let daemon = place.start(&settings, &[]);
    let lines = lines("udp", 30_000);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let burst = |lines: &[String]| {
        lines.iter().for_each(|line| assert!(socket.send_to(line.as_bytes(), ("127.0.0.1", udp)).is_ok()));
    };
    burst(&lines[..29_000]);
    // As fast as it may be elsewhere, here it reads nothing for a moment.
    daemon.signal("-STOP");
    burst(&lines[29_000..]);
    daemon.signal("-CONT");
    let label = format!("udp:127.0.0.1:{udp}");
    let received = || daemon.metric("callrated_records_received_total", &label);
    let dropped = || daemon.metric("callrated_udp_dropped_total", &label);
    wait_for("every datagram to be accounted for", || received() + dropped() >= lines.len() as u64);
    assert_eq!(received() + dropped(), lines.len() as u64);
    assert!(dropped() > 0, "the burst was to be more than the buffer holds");
    // What was read may still wait for the disk.
    wait_for("what was received to be rated", || usage(&daemon).0 == received());
    has(&daemon, received() as usize);
}
