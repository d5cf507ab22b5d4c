//! TLS for the server's side: certificates and keys from PEM files or made on the fly, and the
//! configuration rustls works by. Everything that can be wrong with a file is found here, before
//! the first client comes, and said with the file's name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, ServerConfig, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;

use crate::net::stream::Stream;

/// The name of IMAP in the ALPN registry (RFC 7301 §6). A client that offers only others is refused.
const ALPN_IMAP: &[u8] = b"imap";

/// How long a certificate made on the fly is good for; Apple's clients refuse more than 825 days.
const SELF_SIGNED_LIFE: Duration = Duration::from_secs(800 * 24 * 60 * 60);

/// Clocks of clients may be behind by this much.
const SELF_SIGNED_HEAD_START: Duration = Duration::from_secs(24 * 60 * 60);

/// The lowest version of TLS a client may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MinimumVersion {
    /// TLS 1.2 (RFC 5246).
    #[default]
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// What is wrong with a certificate or its key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The file is not PEM from end to end.
    #[error("{} is not valid PEM: {error}", .path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
        /// What the reader of PEM says.
        error: pem::Error,
    },
    /// The file holds no certificate.
    #[error("no certificate in {} (expected -----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    /// The file holds no private key.
    #[error("no private key in {} (expected -----BEGIN PRIVATE KEY-----)", .0.display())]
    NoKey(PathBuf),
    /// The private key has a passphrase.
    #[error("the private key in {} is encrypted; it must be stored without a passphrase", .0.display())]
    EncryptedKey(PathBuf),
    /// The key belongs to another certificate.
    #[error("the key in {} does not match the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The certificate or key is of a kind that cannot be used.
    #[error("cannot use the certificate in {} with the key in {}: {error}", .certificate.display(), .key.display())]
    Unusable {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the library says.
        error: rustls::Error,
    },
    /// No certificate could be made on the fly.
    #[error("cannot make a self-signed certificate: {0}")]
    SelfSigned(#[from] rcgen::Error),
    /// The library refuses the configuration.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
}

/// A certificate chain with its private key.
#[derive(Clone, Debug)]
pub struct Identity(Arc<CertifiedKey>);

impl Identity {
    /// Reads a certificate chain, the server's own first, and its private key from PEM files (RFC
    /// 7468; it may be one file for both), and checks that they belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Identity, TlsError> {
        let chain = read_chain(certificate)?;
        let private_key = read_key(key)?;
        CertifiedKey::from_der(chain, private_key, &provider())
            .map(|certified| Identity(Arc::new(certified)))
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    TlsError::Mismatch {
                        certificate: certificate.to_owned(),
                        key: key.to_owned(),
                    }
                }
                error => TlsError::Unusable {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                    error,
                },
            })
    }

    /// Makes a certificate that no authority has signed, for these DNS names and IP addresses.
    pub fn self_signed(names: &[&str]) -> Result<Identity, TlsError> {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let mut params = rcgen::CertificateParams::new(names)?;
        let now = std::time::SystemTime::now();
        params.not_before = (now - SELF_SIGNED_HEAD_START).into();
        params.not_after = (now + SELF_SIGNED_LIFE).into();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Culver, self-signed");
        let key = rcgen::KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let certified = CertifiedKey::from_der(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            &provider(),
        )?;
        Ok(Identity(Arc::new(certified)))
    }

    /// Whether the certificate is good for this name.
    fn is_for(&self, name: &ServerName<'_>) -> bool {
        self.0.cert.first().is_some_and(|certificate| {
            ParsedCertificate::try_from(certificate)
                .and_then(|parsed| verify_server_name(&parsed, name))
                .is_ok()
        })
    }
}

/// The configuration of the server's side: `identity` for every client, or the first of `further`
/// that is good for the name the client asks for (SNI, RFC 6066 §3).
pub fn server_config(
    identity: Identity,
    further: Vec<Identity>,
    minimum: MinimumVersion,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match minimum {
        MinimumVersion::Tls12 => &[&TLS12, &TLS13],
        MinimumVersion::Tls13 => &[&TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(ByName { identity, further }));
    config.alpn_protocols = vec![ALPN_IMAP.to_vec()];
    Ok(Arc::new(config))
}

/// Speaks TLS with a client that has begun to; `TimedOut` where it has not come to an end by `deadline`.
pub async fn accept(
    config: &Arc<ServerConfig>,
    tcp: TcpStream,
    deadline: Instant,
) -> io::Result<Stream> {
    let handshake = TlsAcceptor::from(Arc::clone(config)).accept(tcp);
    let tls = timeout_at(deadline, handshake)
        .await
        .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake took too long"))??;
    Ok(Stream::Tls(Box::new(tls)))
}

/// Certificates by the name a client asks for.
#[derive(Debug)]
struct ByName {
    identity: Identity,
    further: Vec<Identity>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello
            .server_name()
            .filter(|_| !self.further.is_empty())
            .and_then(|name| ServerName::try_from(name).ok())
            .filter(|name| !self.identity.is_for(name))
            .and_then(|name| self.further.iter().find(|identity| identity.is_for(&name)));
        Some(Arc::clone(&named.unwrap_or(&self.identity).0))
    }
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Unreadable {
        path: path.to_owned(),
        error,
    })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| TlsError::NotPem {
            path: path.to_owned(),
            error,
        })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound
            if memchr::memmem::find(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----").is_some() =>
        {
            TlsError::EncryptedKey(path.to_owned())
        }
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        error => TlsError::NotPem {
            path: path.to_owned(),
            error,
        },
    })
}

#[cfg(test)]
mod tests {
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::UnixTime;
    use rustls::{
        AlertDescription, ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore,
        SignatureScheme,
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio_rustls::{TlsConnector, client};

    use super::*;

    /// A certificate and key as files, as an administrator would have them.
    fn pem_files(directory: &Path, stem: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = directory.join(format!("{stem}.pem"));
        let key = directory.join(format!("{stem}.key"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (certificate, key)
    }

    /// A client that trusts exactly this certificate.
    fn trusting(identity: &Identity) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(identity.0.cert[0].clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS12, &TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// One handshake over loopback: what the client and the server saw.
    async fn handshake(
        server: Arc<ServerConfig>,
        client: ClientConfig,
        name: &'static str,
    ) -> (io::Result<client::TlsStream<TcpStream>>, io::Result<Stream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let accepted = listener.accept().await.unwrap().0;
        let deadline = Instant::now() + Duration::from_secs(60);
        tokio::join!(
            TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(name).unwrap(), tcp),
            accept(&server, accepted, deadline),
        )
    }

    fn only(identity: &Identity) -> Arc<ServerConfig> {
        server_config(identity.clone(), Vec::new(), MinimumVersion::Tls12).unwrap()
    }

    #[tokio::test]
    async fn a_self_signed_certificate_is_good_for_its_names() {
        let identity = Identity::self_signed(&["localhost", "127.0.0.1", "::1"]).unwrap();
        for name in ["localhost", "127.0.0.1", "::1"] {
            let (client, server) = handshake(only(&identity), trusting(&identity), name).await;
            let (mut client, mut server) = (client.unwrap(), server.unwrap());
            server.write_all(b"* OK").await.unwrap();
            server.flush().await.unwrap();
            let mut greeting = [0; 4];
            client.read_exact(&mut greeting).await.unwrap();
            assert_eq!(&greeting, b"* OK");
            assert_eq!(
                client.get_ref().1.protocol_version(),
                Some(ProtocolVersion::TLSv1_3)
            );
        }
        let (client, _) = handshake(only(&identity), trusting(&identity), "example.org").await;
        assert!(client.is_err());
    }

    #[tokio::test]
    async fn the_minimum_version_is_kept() {
        let identity = Identity::self_signed(&["localhost"]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(identity.0.cert[0].clone()).unwrap();
        let old = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (client, _) = handshake(only(&identity), old.clone(), "localhost").await;
        assert_eq!(
            client.unwrap().get_ref().1.protocol_version(),
            Some(ProtocolVersion::TLSv1_2)
        );
        let strict = server_config(identity, Vec::new(), MinimumVersion::Tls13).unwrap();
        let (client, server) = handshake(strict, old, "localhost").await;
        assert!(client.is_err() && server.is_err());
    }

    #[tokio::test]
    async fn another_protocol_by_alpn_is_refused() {
        let identity = Identity::self_signed(&["localhost"]).unwrap();
        let mut imap = trusting(&identity);
        imap.alpn_protocols = vec![b"h2".to_vec(), b"imap".to_vec()];
        let (client, _) = handshake(only(&identity), imap, "localhost").await;
        assert_eq!(client.unwrap().get_ref().1.alpn_protocol(), Some(ALPN_IMAP));
        let mut web = trusting(&identity);
        web.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let (client, server) = handshake(only(&identity), web, "localhost").await;
        let error = client.unwrap_err().into_inner().unwrap();
        assert_eq!(
            error.downcast_ref::<rustls::Error>(),
            Some(&rustls::Error::AlertReceived(
                AlertDescription::NoApplicationProtocol
            ))
        );
        assert!(server.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_meets_the_deadline() {
        let identity = Identity::self_signed(&["localhost"]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _mute = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let tcp = listener.accept().await.unwrap().0;
        let deadline = Instant::now() + Duration::from_secs(60);
        let error = accept(&only(&identity), tcp, deadline).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    }

    #[tokio::test]
    async fn a_further_name_gets_its_own_certificate() {
        let directory = tempfile::tempdir().unwrap();
        let load = |stem: &str, names: &[&str]| {
            let (certificate, key) = pem_files(directory.path(), stem, names);
            Identity::load(&certificate, &key).unwrap()
        };
        let first = load("a", &["a.example"]);
        let second = load("b", &["b.example", "*.c.example"]);
        let config =
            server_config(first.clone(), vec![second.clone()], MinimumVersion::Tls12).unwrap();
        for (name, served) in [
            ("a.example", &first),
            ("b.example", &second),
            ("x.c.example", &second),
            ("unknown.example", &first),
        ] {
            let mut client = trusting(&first);
            client
                .dangerous()
                .set_certificate_verifier(Arc::new(TrustsAll));
            let (client, _) = handshake(Arc::clone(&config), client, name).await;
            let client = client.unwrap();
            let shown = client.get_ref().1.peer_certificates().unwrap();
            assert_eq!(shown, served.0.cert, "{name}");
        }
    }

    /// For tests of which certificate is shown, not of whether it is good.
    #[derive(Debug)]
    struct TrustsAll;

    impl ServerCertVerifier for TrustsAll {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            provider()
                .signature_verification_algorithms
                .supported_schemes()
        }
    }

    #[test]
    fn mistakes_in_files_are_named() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = pem_files(directory.path(), "a", &["a.example"]);
        let (_, other_key) = pem_files(directory.path(), "b", &["b.example"]);
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let empty = write("empty.pem", "");
        let cut = write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
        let not_der = write(
            "not-der.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        );
        let locked = write(
            "locked.key",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        );
        let missing = directory.path().join("missing.pem");
        for (certificate, key, says, names) in [
            (&missing, &key, "cannot read", &missing),
            (&certificate, &missing, "cannot read", &missing),
            (&empty, &key, "no certificate in", &empty),
            (&key, &key, "no certificate in", &key),
            (&certificate, &empty, "no private key in", &empty),
            (
                &certificate,
                &certificate,
                "no private key in",
                &certificate,
            ),
            (&certificate, &locked, "encrypted", &locked),
            (&certificate, &other_key, "does not match", &other_key),
            (&certificate, &other_key, "does not match", &certificate),
            (&cut, &key, "not valid PEM", &cut),
            (&not_der, &key, "cannot use", &not_der),
        ] {
            let text = Identity::load(certificate, key).unwrap_err().to_string();
            assert!(text.contains(says), "{text}");
            assert!(text.contains(names.to_str().unwrap()), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
        Identity::load(&certificate, &key).unwrap();
    }

    #[test]
    fn one_file_may_hold_both() {
        let directory = tempfile::tempdir().unwrap();
        let (certificate, key) = pem_files(directory.path(), "a", &["a.example"]);
        let both = directory.path().join("both.pem");
        let text = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&certificate).unwrap();
        fs::write(&both, text).unwrap();
        Identity::load(&both, &both).unwrap();
    }
}
