use super::*;
use crate::ingest::stream::connection;

const PEER: std::net::SocketAddr = std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1);

/// The other end of a connection to a door that cuts the stream so; a batch is answered for each permit.
fn connected(cut: Cut, format: &str, permits: usize) -> (DuplexStream, Arc<tokio::sync::Semaphore>, Arc<Mutex<Taken>>) {
    let (outbox, inbox) = Outbox::new(OUTBOX_MAX);
    let taken = Arc::new(Mutex::new(Taken::default()));
    let gate = Arc::new(tokio::sync::Semaphore::new(permits));
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let door = Door { cut, ..door(Format::named(format).unwrap(), outbox) };
    tokio::spawn(sequencer(inbox, Mood::Takes, Some(gate.clone()), taken.clone()));
    tokio::spawn(async move {
        let (_stay, stopped) = watch::channel(false);
        connection(theirs, PEER, &door, Stop(stopped)).await;
    });
    (ours, gate, taken)
}

fn cdr(call: &str, id: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"E_ACC_CDR","params":{{"method":"INVITE","from_tag":"f","to_tag":"t","callid":"{call}","sip_code":"200","time":1795297910,"caller":"1","callee":"2","duration":4,"ms_duration":3006,"created":1795297909}},"id":{id}}}"#
    )
}

/// OpenSIPS' `reliable_mode`: a request is answered once its record is synced, in order, and until then nothing is said.
#[tokio::test]
async fn a_request_is_answered_only_after_the_sync() {
    let (mut stream, gate, taken) = connected(Cut::Values, "opensips", 0);
    write(&mut stream, &cdr("a", 7)).await;
    let mut answer = [0; 100];
    let early = tokio::time::timeout(std::time::Duration::from_millis(20), stream.read(&mut answer)).await;
    assert!(early.is_err() && taken.lock().unwrap().ids.is_empty());
    // Another comes behind it while the first waits; then each is told what became of it.
    write(&mut stream, &(cdr("b", 8) + &cdr("", 9))).await;
    gate.add_permits(3);
    stream.shutdown().await.unwrap();
    assert_eq!(
        rest(stream).await,
        concat!(
            r#"{"jsonrpc":"2.0","result":"ok","id":7}"#,
            r#"{"jsonrpc":"2.0","result":"ok","id":8}"#,
            r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"field \"callid\" is missing"},"id":9}"#
        )
    );
    assert_eq!(taken.lock().unwrap().ids, ["listener/a;f;t", "listener/b;f;t"]);
}

/// Packets of a capture agent however the stream is cut; where a packet cannot be told any more the connection ends.
#[tokio::test]
async fn packets_may_be_cut_anywhere() {
    let capture = include_bytes!("../../../tests/data/captures/kamailio/hep.bin");
    let mut counts = Vec::new();
    for size in [1, 5, 7, 1000, capture.len()] {
        let (mut stream, _, taken) = connected(Cut::Hep, "auto", 1 << 20);
        for chunk in capture.chunks(size) {
            stream.write_all(chunk).await.unwrap();
            tokio::task::yield_now().await;
        }
        write(&mut stream, "INVITE sip:x SIP/2.0\r\n").await;
        // It is closed from the other side.
        assert_eq!(rest(stream).await, "");
        let taken = taken.lock().unwrap();
        counts.push((taken.ids.len(), taken.refused));
    }
    // Two calls were answered and two failed, each message seen at both sides of the proxy: see `text::captures`.
    assert_eq!(counts, [(22, 1); 5]);
}
