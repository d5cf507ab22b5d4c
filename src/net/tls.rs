//! TLS for the server's side: certificates and keys from PEM files or made on the fly, and the
//! configuration rustls works by. Everything that can be wrong with a file is found here, before
//! the first client comes, and said with the file's name.

use std::fmt;
use std::fs;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    Acceptor, ClientHello, ParsedCertificate, ResolvesServerCert, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig, SupportedProtocolVersion};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::LazyConfigAcceptor;
use zeroize::Zeroizing;

use crate::net::limits::Place;
use crate::net::stream::Stream;
use crate::net::{words, x509};

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
    #[error("{} is not valid PEM: {}", .path.display(), words::of_pem(error))]
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
    #[error("cannot use the certificate in {} with the key in {}: {}", .certificate.display(), .key.display(), words::of_tls(error))]
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
    /// The certificates of authorities cannot be used.
    #[error("cannot use the certificates of authorities: {0}")]
    Authorities(VerifierBuilderError),
    /// The certificate is not good at this time.
    #[error("the certificate in {} is good from {from} to {to} alone", .path.display())]
    NotNow {
        /// The file.
        path: PathBuf,
        /// When it begins to be.
        from: String,
        /// When it ceases to be.
        to: String,
    },
    /// The library refuses the configuration.
    #[error("cannot set up TLS: {}", words::of_tls(.0))]
    Setup(#[from] rustls::Error),
}

/// A certificate chain and its private key as octets (DER), which another process can be given.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// The server's own certificate first.
    chain: Vec<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Material(…)")
    }
}

impl Material {
    /// Reads a certificate chain, the server's own first, and its private key from PEM files (RFC
    /// 7468; it may be one file for both), and checks that they belong together.
    pub fn load(certificate: &Path, key: &Path) -> Result<Material, TlsError> {
        let material = Material {
            chain: read_chain(certificate)?,
            key: read_key(key)?,
        };
        material.certified().map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
            },
            error => TlsError::Unusable {
                certificate: certificate.to_owned(),
                key: key.to_owned(),
                error,
            },
        })?;
        Ok(material)
    }

    /// Makes a certificate that no authority has signed, for these DNS names and IP addresses.
    pub fn self_signed(names: &[&str]) -> Result<Material, TlsError> {
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
        Ok(Material {
            chain: vec![certificate.der().to_vec()],
            key: Zeroizing::new(key.serialize_der()),
        })
    }

    /// Says if the certificate, which is from this file, is not good at this time.
    pub fn check_time(&self, path: &Path, now: Timestamp) -> Result<(), TlsError> {
        let own = self.chain.first().map(Vec::as_slice).unwrap_or_default();
        match x509::validity(own) {
            Some((from, to)) if !(from..=to).contains(&now.as_second()) => {
                let shown = |second| {
                    let time = Timestamp::from_second(second);
                    time.map_or_else(|_| "?".to_owned(), |time| time.to_string())
                };
                Err(TlsError::NotNow {
                    path: path.to_owned(),
                    from: shown(from),
                    to: shown(to),
                })
            }
            // What cannot be read here is no worse for it.
            _ => Ok(()),
        }
    }

    fn certified(&self) -> Result<Arc<CertifiedKey>, rustls::Error> {
        let chain = self.chain.iter().cloned().map(CertificateDer::from);
        let key = PrivateKeyDer::try_from(self.key.to_vec())
            .map_err(|error| rustls::Error::General(error.to_owned()))?;
        CertifiedKey::from_der(chain.collect(), key, &provider()).map(Arc::new)
    }
}

/// All that a server shows and believes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    /// The certificates it shows; that for everybody first.
    pub certificates: Vec<Material>,
    /// The certificates (DER) of those whom it believes who a client is. None: clients are not asked for certificates.
    pub authorities: Vec<Vec<u8>>,
}

/// A part of [`Identities`], which another process can be given one by one.
#[derive(Debug, Serialize, Deserialize)]
pub enum Piece {
    /// A certificate to show, behind those before.
    Certificate(Material),
    /// Somebody to believe.
    Authority(Vec<u8>),
}

impl Identities {
    /// The parts, in their order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        let certificates = self.certificates.iter().cloned().map(Piece::Certificate);
        certificates.chain(self.authorities.iter().cloned().map(Piece::Authority))
    }

    /// Adds a part.
    pub fn add(&mut self, piece: Piece) {
        match piece {
            Piece::Certificate(certificate) => self.certificates.push(certificate),
            Piece::Authority(authority) => self.authorities.push(authority),
        }
    }
}

/// Reads the certificates of authorities from a PEM file, and checks that they can be used.
pub fn load_authorities(path: &Path) -> Result<Vec<Vec<u8>>, TlsError> {
    let authorities = read_chain(path)?;
    client_verifier(&authorities)?;
    Ok(authorities)
}

/// Who says whether a client's certificate can be believed. It is asked for and never demanded.
pub fn client_verifier(authorities: &[Vec<u8>]) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from(authority.as_slice()))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .allow_unauthenticated()
        .build()
        .map_err(TlsError::Authorities)
}

/// Whether a certificate is good for this name.
fn is_for(identity: &CertifiedKey, name: &ServerName<'_>) -> bool {
    identity.cert.first().is_some_and(|certificate| {
        ParsedCertificate::try_from(certificate)
            .and_then(|parsed| verify_server_name(&parsed, name))
            .is_ok()
    })
}

/// The configuration of the server's side: the first certificate for every client, or the first of the others
/// that is good for the name the client asks for (SNI, RFC 6066 §3).
pub fn server_config(
    identities: &Identities,
    minimum: MinimumVersion,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut certified = identities.certificates.iter().map(Material::certified);
    let none = || rustls::Error::General("there is no certificate".to_owned());
    let identity = certified.next().ok_or_else(none)??;
    let further = certified.collect::<Result<_, _>>()?;
    let versions: &[&SupportedProtocolVersion] = match minimum {
        MinimumVersion::Tls12 => &[&TLS12, &TLS13],
        MinimumVersion::Tls13 => &[&TLS13],
    };
    let config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)?;
    let config = match &*identities.authorities {
        [] => config.with_no_client_auth(),
        authorities => config.with_client_cert_verifier(client_verifier(authorities)?),
    };
    let mut config = config.with_cert_resolver(Arc::new(ByName { identity, further }));
    config.alpn_protocols = vec![ALPN_IMAP.to_vec()];
    Ok(Arc::new(config))
}

/// Speaks TLS with a client that has begun to; `TimedOut` where it has not come to an end by `deadline`. What it costs is
/// computed when it is the turn of the connection's `place`. The certificate is the one that the client was shown.
pub async fn accept(
    config: Arc<ServerConfig>,
    tcp: TcpStream,
    place: &Place,
    deadline: Instant,
) -> io::Result<(Stream, Option<CertificateDer<'static>>)> {
    let handshake = async {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let shown = config.cert_resolver.resolve(start.client_hello());
        let certificate = shown.and_then(|shown| shown.cert.first().cloned());
        let tls = start.into_stream(Arc::clone(&config)).await?;
        Ok((Stream::Tls(Box::new(tls)), certificate))
    };
    let in_time = timeout_at(deadline, in_turn(place, handshake)).await;
    in_time.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "TLS handshake took too long"))?
}

/// Polls a future only when it is its turn, and holds up nobody while it waits.
async fn in_turn<F: Future>(place: &Place, future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        let turn = place.turn().await;
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        drop(turn);
        if let Poll::Ready(output) = polled {
            return output;
        }
        // Whatever wakes the task next may be what it waits for.
        let mut woken = false;
        poll_fn(|_| match std::mem::replace(&mut woken, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

/// Certificates by the name a client asks for.
#[derive(Debug)]
struct ByName {
    identity: Arc<CertifiedKey>,
    further: Vec<Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello
            .server_name()
            .filter(|_| !self.further.is_empty())
            .and_then(|name| ServerName::try_from(name).ok())
            .filter(|name| !is_for(&self.identity, name))
            .and_then(|name| self.further.iter().find(|identity| is_for(identity, &name)));
        Some(Arc::clone(named.unwrap_or(&self.identity)))
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

fn read_chain(path: &Path) -> Result<Vec<Vec<u8>>, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&read(path)?)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
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

fn read_key(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let text = Zeroizing::new(read(path)?);
    let key = PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
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
    })?;
    Ok(Zeroizing::new(key.secret_der().to_vec()))
}

#[cfg(test)]
mod tests;
