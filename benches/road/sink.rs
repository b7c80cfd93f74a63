//! The least that anything which keeps records must do: read the socket, find the lines, write them, sync, and say so.
//!
//! What it needs is the machine's own limit; the road is measured against it in the same run.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread::JoinHandle;

/// Bytes read at once.
const CHUNK: usize = 256 << 10;

/// A thread with one connection; gives its processor time in seconds when the connection ends.
pub fn start(folder: &Path) -> (u16, JoinHandle<f64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its port").port();
    let mut file = File::create(folder.join("sink")).expect("a file");
    let thread = std::thread::spawn(move || {
        let begun = super::watch::Watch::start();
        let (mut stream, _) = listener.accept().expect("the sender");
        let mut buffer = vec![0; CHUNK];
        let (mut lines, mut hello) = (0_u64, false);
        loop {
            let n = stream.read(&mut buffer).unwrap_or(0);
            if n == 0 {
                return begun.seconds();
            }
            let mut bytes = &buffer[..n];
            if !hello {
                // The dialogue's first line is no record.
                let end = memchr::memchr(b'\n', bytes).map_or(n, |at| at + 1);
                stream.write_all(b"{\"hello\":1}\n").expect("an answer");
                (hello, bytes) = (true, &bytes[end..]);
            }
            lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
            if !bytes.is_empty() {
                file.write_all(bytes).and_then(|()| file.sync_data()).expect("a disk");
                stream.write_all(format!("{{\"durable\":{lines}}}\n").as_bytes()).expect("an answer");
            }
        }
    });
    (port, thread)
}
