//! Encrypted doors: who is let in by which certificate, the API and the commands over TLS, and new certificates without a
//! restart.

use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// Who signs certificates.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for a name and its key, as PEM.
    fn signs(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (cert.pem(), key.serialize_pem())
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// Connects, trusting an authority, and showing a certificate if there is one.
fn connect(port: u16, trusts: &Authority, shows: Option<&(String, String)>) -> Encrypted {
    let mut roots = RootCertStore::empty();
    roots.add(der(&trusts.pem)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![der(cert)], key).unwrap()
        }
    };
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap(), stream)
}

/// Opens the dialogue and sends a record; the answers, as far as there are any.
fn dialogue(stream: &mut Encrypted, hello: &str, id: &str) -> Result<String, std::io::Error> {
    let answer = (Clock::wall().now().0 - 120_000_000) / 1000;
    let record =
        json!({ "id": id, "source": "+4930600", "destination": "015123456789", "answer": answer, "duration": 60 });
    stream.write_all(format!("{hello}{record}\n").as_bytes())?;
    let mut said = String::new();
    let mut lines = BufReader::new(stream);
    while !said.contains("durable\"") {
        if lines.read_line(&mut said)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(said)
}

fn get(api: u16, trusts: &Authority, path: &str) -> Result<String, std::io::Error> {
    let mut stream = connect(api, trusts, None);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text)?;
    Ok(text)
}

#[test]
fn who_has_a_certificate_is_let_in_and_a_new_one_needs_no_restart() {
    let place = Place::new();
    let (ours, customers, strangers) =
        (Authority::new("ours"), Authority::new("customers"), Authority::new("strangers"));
    let server = ours.signs("localhost");
    place.write("server.pem", &server.0);
    place.write("server.key", &server.1);
    place.write("customers.pem", &customers.pem);
    let (records, api) = (free_port(), free_port());
    let tls = r#"tls = { cert = "server.pem", key = "server.key""#;
    place.write(
        "callrated.toml",
        format!(
            "[[listen]]\nprotocol = \"tcp\"\naddress = \"127.0.0.1:{records}\"\n{tls}, client_ca = \"customers.pem\" }}\n\
             [http]\naddress = \"127.0.0.1:{api}\"\n{tls} }}\n"
        ),
    );
    place.run(&["check"]).code(0);
    let daemon = place.started(records, api);
    let customer = customers.signs("sbc-fra");
    let hello = "{\"hello\":1}\n";
    let mut open = connect(records, &ours, Some(&customer));
    assert!(dialogue(&mut open, hello, "a1").unwrap().ends_with("{\"durable\":1}\n"));

    // No certificate, a stranger's, and no TLS at all: nothing is taken.
    assert!(dialogue(&mut connect(records, &ours, None), hello, "b1").is_err());
    assert!(dialogue(&mut connect(records, &ours, Some(&strangers.signs("sbc-fra"))), hello, "b2").is_err());
    let mut plain = TcpStream::connect(("127.0.0.1", records)).unwrap();
    plain.write_all(hello.as_bytes()).unwrap();
    let mut said = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut said);
    assert!(!said.windows(7).any(|part| part == b"durable"), "{said:?}");

    // Who was turned away hears of it before it is counted.
    let patience = Patience::new();
    let turned_away =
        |line: &str| line.starts_with("callrated_senders_refused_total{listener=\"tcp") && line.contains("\"tls\"} 3");
    loop {
        let metrics = get(api, &ours, "/metrics").unwrap();
        if metrics.lines().any(turned_away) {
            break;
        }
        assert!(patience.lasts(), "{metrics}");
    }
    let month = Clock::wall().now().to_string()[..7].to_owned();
    // Commands read the certificate's file and know the daemon by it.
    let usage = place.json(&["usage", "acme", "--period", &month, "--json"]);
    assert_eq!(usage["account"], "acme");
    assert_eq!(place.json(&["verify", "--json"])["calls"], 1);

    // A new certificate of another authority: for whoever comes after the signal, while those who are here go on.
    let theirs = Authority::new("theirs");
    let renewed = theirs.signs("localhost");
    place.write("server.key", &renewed.1);
    place.write("server.pem", &renewed.0);
    assert!(Command::new("kill").args(["-HUP", &daemon.child.id().to_string()]).status().unwrap().success());
    let patience = Patience::new();
    let mut second = loop {
        let mut stream = connect(records, &theirs, Some(&customer));
        match dialogue(&mut stream, hello, "a2") {
            Ok(_) => break stream,
            Err(error) => assert!(patience.lasts(), "the old certificate is offered still: {error}"),
        }
    };
    assert_eq!(second.conn.peer_certificates().unwrap()[0], der(&renewed.0));
    // The doors change theirs one after the other.
    let ready = loop {
        match get(api, &theirs, "/readyz") {
            Ok(text) => break text,
            Err(error) => assert!(patience.lasts(), "the API offers the old certificate still: {error}"),
        }
    };
    assert!(ready.ends_with("ready\n"), "{ready}");
    assert!(dialogue(&mut open, "", "a3").unwrap().ends_with("{\"durable\":2}\n"));
    assert!(dialogue(&mut second, "", "a4").unwrap().ends_with("{\"durable\":2}\n"));
    assert_eq!(place.json(&["verify", "--json"])["calls"], 4);
    drop((open, second, plain));
    assert_eq!(daemon.stop(), 0);
}
