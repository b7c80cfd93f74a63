//! TLS at the doors for streams: a certificate and its key from files, clients' certificates where they are asked for, and
//! all of it read anew when somebody says so. Connections that are open keep what they began with.
//!
//! Does not know what travels inside.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Longest time for a handshake: a client that is slower holds a place for nothing.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// As written: `tls = { cert = "…", key = "…", client_ca = "…" }`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// PEM: the certificate, and behind it those between it and the root.
    pub cert: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
    /// PEM: who must have signed a client's certificate; without it no client is asked for one.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
}

impl TlsSettings {
    /// With the files relative to a folder.
    pub fn relative_to(&self, base: &Path) -> TlsSettings {
        TlsSettings {
            cert: base.join(&self.cert),
            key: base.join(&self.key),
            client_ca: self.client_ca.as_ref().map(|file| base.join(file)),
        }
    }
}

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("tls: {0} cannot be read: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It holds nothing of the kind.
    #[error("tls: {0} has no {1} in PEM")]
    Empty(PathBuf, &'static str),
    /// It is not PEM.
    #[error("tls: {0}: {1}")]
    Pem(PathBuf, String),
    /// The certificate and the key, or the certificates of the authority, do not do.
    #[error("tls: {0}: {1}")]
    Wrong(PathBuf, String),
}

/// What a door offers its clients.
pub struct Tls {
    settings: TlsSettings,
    config: ArcSwap<ServerConfig>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files.
    pub fn open(settings: &TlsSettings) -> Result<Tls, TlsError> {
        Ok(Tls { settings: settings.clone(), config: ArcSwap::new(Arc::new(server(settings)?)) })
    }

    /// Reads the files anew; if anything is wrong, what was read before stays.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(Arc::new(server(&self.settings)?));
        Ok(())
    }

    /// The certificate's file.
    pub fn cert(&self) -> &Path {
        &self.settings.cert
    }

    async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        timeout(HANDSHAKE_WAIT, TlsAcceptor::from(self.config.load_full()).accept(stream)).await?
    }
}

/// The cryptography; chosen here, so that no other crate's choice in the process matters.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The certificates of a file, the first one's key being ours or the server's.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = CertificateDer::pem_file_iter(file).map_err(|e| pem_error(file, e, "certificate"))?;
    let all = all.collect::<Result<Vec<_>, _>>().map_err(|e| pem_error(file, e, "certificate"))?;
    if all.is_empty() { Err(TlsError::Empty(file.to_owned(), "certificate")) } else { Ok(all) }
}

fn pem_error(file: &Path, error: pem::Error, what: &'static str) -> TlsError {
    match error {
        pem::Error::Io(error) => TlsError::Unreadable(file.to_owned(), error),
        pem::Error::NoItemsFound => TlsError::Empty(file.to_owned(), what),
        other => TlsError::Pem(file.to_owned(), other.to_string()),
    }
}

fn server(settings: &TlsSettings) -> Result<ServerConfig, TlsError> {
    let TlsSettings { cert, key, client_ca } = settings;
    let chain = certificates(cert)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|e| pem_error(key, e, "private key"))?;
    let wrong = |file: &Path, e: &dyn std::fmt::Display| TlsError::Wrong(file.to_owned(), e.to_string());
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(cert, &e))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(file)? {
                roots.add(root).map_err(|e| wrong(file, &e))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            builder.with_client_cert_verifier(verifier.build().map_err(|e| wrong(file, &e))?)
        }
    };
    builder.with_single_cert(chain, private).map_err(|e| wrong(key, &e))
}

/// For a client that knows the server by its very certificate, as commands on the daemon's machine do: they read the file
/// that it offers, whatever name that is made out to.
pub fn client_of(settings: &TlsSettings) -> Result<TlsConnector, TlsError> {
    let known = certificates(&settings.cert)?.swap_remove(0);
    let wrong = |e: tokio_rustls::rustls::Error| TlsError::Wrong(settings.cert.clone(), e.to_string());
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Known { certificate: known, provider: provider() }))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// For a client that knows servers by who signed their certificates: the authority in a file, or those that this system
/// trusts.
///
/// # Errors
/// A file that cannot be used; a system that trusts nobody.
pub fn client(ca: Option<&Path>) -> Result<TlsConnector, TlsError> {
    let file = ca.unwrap_or(Path::new("the system's certificates"));
    let wrong = |e: &dyn std::fmt::Display| TlsError::Wrong(file.to_owned(), e.to_string());
    let mut roots = RootCertStore::empty();
    match ca {
        Some(ca) => {
            for root in certificates(ca)? {
                roots.add(root).map_err(|e| wrong(&e))?;
            }
        }
        // Some of them may be of kinds that are not known here: the others do.
        None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    if roots.is_empty() {
        return Err(TlsError::Empty(file.to_owned(), "certificate"));
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Trusts one certificate, and whoever shows that its key is his.
#[derive(Debug)]
struct Known {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if *end_entity == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        let other = "it offers another certificate than its file holds: SIGHUP makes it read the file anew";
        Err(Error::General(other.to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A socket for streams, with TLS or without.
#[derive(Debug)]
pub struct Streams {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
}

impl From<TcpListener> for Streams {
    fn from(listener: TcpListener) -> Streams {
        Streams { listener, tls: None }
    }
}

impl Streams {
    /// With TLS, if there is any.
    pub fn new(listener: TcpListener, tls: Option<Arc<Tls>>) -> Streams {
        Streams { listener, tls }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next connection. Its handshake is still to come: [`Greeting::stream`], best in a task of its own.
    pub async fn accept(&self) -> io::Result<(Greeting, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        Ok((Greeting { stream, tls: self.tls.clone() }, peer))
    }
}

/// A connection before its handshake.
pub struct Greeting {
    /// The socket.
    pub stream: TcpStream,
    tls: Option<Arc<Tls>>,
}

impl Greeting {
    /// What is said inside.
    ///
    /// # Errors
    /// A client that does not speak TLS, trusts another, shows no certificate that is asked for, or is too slow.
    pub async fn stream(self) -> io::Result<Stream> {
        Ok(match self.tls {
            None => Stream::Plain(self.stream),
            Some(tls) => Stream::Tls(Box::new(tls.accept(self.stream).await?)),
        })
    }
}

/// A connection, with TLS or without.
#[derive(Debug)]
pub enum Stream {
    /// Without.
    Plain(TcpStream),
    /// With; a kilobyte of state.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate that signs itself, and its key.
    fn pair() -> (String, String) {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn what_is_wrong_with_files_is_said_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (cert, key) = pair();
        let settings = TlsSettings { cert: at("cert"), key: at("key"), client_ca: Some(at("ca")) };
        let put = |cert: &str, key: &str, ca: &str| {
            for (name, text) in [("cert", cert), ("key", key), ("ca", ca)] {
                std::fs::write(at(name), text).unwrap();
            }
        };
        put(&cert, &key, &cert);
        let tls = Tls::open(&settings).unwrap();
        let before = Arc::as_ptr(&tls.config.load_full());
        let (other, other_key) = pair();
        for (case, expected) in [
            (["", &key, &cert], "cert has no certificate in PEM"),
            (["nonsense", &key, &cert], "cert has no certificate in PEM"),
            ([&cert, "", &cert], "key has no private key in PEM"),
            ([&cert, &cert, &cert], "key has no private key in PEM"),
            ([&cert, &other_key, &cert], "key: "),
            ([&cert, &key, ""], "ca has no certificate in PEM"),
            (["-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", &key, &cert], "cert: "),
        ] {
            put(case[0], case[1], case[2]);
            let error = tls.reload().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert_eq!(Arc::as_ptr(&tls.config.load_full()), before);
        }
        std::fs::remove_file(at("cert")).unwrap();
        assert!(tls.reload().unwrap_err().to_string().contains("cannot be read: No such file"));
        put(&other, &other_key, &cert);
        tls.reload().unwrap();
        assert_ne!(Arc::as_ptr(&tls.config.load_full()), before);
    }
}
