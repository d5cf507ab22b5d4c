//! Certificates as files, and handshakes over loopback with a client of the same library.

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

/// A stranger's share of the limits.
fn place() -> Place {
    let admission = crate::net::limits::Admission::new(1, 1);
    admission.admit("192.0.2.1".parse().unwrap()).unwrap()
}

/// A client that trusts exactly this certificate.
fn trusting(identity: &Material) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from(identity.chain[0].clone());
    roots.add(own).unwrap();
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
) -> (
    io::Result<client::TlsStream<TcpStream>>,
    io::Result<(Stream, Option<CertificateDer<'static>>)>,
) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let accepted = listener.accept().await.unwrap().0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let place = place();
    tokio::join!(
        TlsConnector::from(Arc::new(client)).connect(ServerName::try_from(name).unwrap(), tcp),
        accept(server, accepted, &place, deadline),
    )
}

fn shown(certificates: &[&Material]) -> Identities {
    Identities {
        certificates: certificates.iter().copied().cloned().collect(),
        authorities: Vec::new(),
    }
}

fn only(identity: &Material) -> Arc<ServerConfig> {
    server_config(&shown(&[identity]), MinimumVersion::Tls12).unwrap()
}

#[tokio::test]
async fn a_self_signed_certificate_is_good_for_its_names() {
    let identity = Material::self_signed(&["localhost", "127.0.0.1", "::1"]).unwrap();
    for name in ["localhost", "127.0.0.1", "::1"] {
        let (client, server) = handshake(only(&identity), trusting(&identity), name).await;
        let (mut client, (mut server, shown)) = (client.unwrap(), server.unwrap());
        assert_eq!(shown.unwrap().as_ref(), identity.chain[0]);
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
    let identity = Material::self_signed(&["localhost"]).unwrap();
    let mut roots = RootCertStore::empty();
    let own = CertificateDer::from(identity.chain[0].clone());
    roots.add(own).unwrap();
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
    let strict = server_config(&shown(&[&identity]), MinimumVersion::Tls13).unwrap();
    let (client, server) = handshake(strict, old, "localhost").await;
    assert!(client.is_err() && server.is_err());
}

#[tokio::test]
async fn another_protocol_by_alpn_is_refused() {
    let identity = Material::self_signed(&["localhost"]).unwrap();
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
    let identity = Material::self_signed(&["localhost"]).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _mute = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let tcp = listener.accept().await.unwrap().0;
    let deadline = Instant::now() + Duration::from_secs(60);
    let error = accept(only(&identity), tcp, &place(), deadline)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    assert!(Instant::now() >= deadline);
}

#[tokio::test]
async fn a_further_name_gets_its_own_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let load = |stem: &str, names: &[&str]| {
        let (certificate, key) = pem_files(directory.path(), stem, names);
        Material::load(&certificate, &key).unwrap()
    };
    let first = load("a", &["a.example"]);
    let second = load("b", &["b.example", "*.c.example"]);
    let config = server_config(&shown(&[&first, &second]), MinimumVersion::Tls12).unwrap();
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
        let shown: Vec<Vec<u8>> = shown.iter().map(|one| one.to_vec()).collect();
        assert_eq!(shown, served.chain, "{name}");
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
        (
            &cut,
            &key,
            "not valid PEM: \"CERTIFICATE\" has no end",
            &cut,
        ),
        (&not_der, &key, "cannot use", &not_der),
    ] {
        let text = Material::load(certificate, key).unwrap_err().to_string();
        assert!(text.contains(says), "{text}");
        assert!(text.contains(names.to_str().unwrap()), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
    Material::load(&certificate, &key).unwrap();
}

#[test]
fn one_file_may_hold_both() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = pem_files(directory.path(), "a", &["a.example"]);
    let both = directory.path().join("both.pem");
    let text = fs::read_to_string(&key).unwrap() + &fs::read_to_string(&certificate).unwrap();
    fs::write(&both, text).unwrap();
    Material::load(&both, &both).unwrap();
}

#[test]
fn a_certificate_out_of_its_time_is_told() {
    let identity = Material::self_signed(&["localhost"]).unwrap();
    let path = Path::new("/cert.pem");
    let now = Timestamp::now();
    identity.check_time(path, now).unwrap();
    for days in [-2, 900] {
        let then = now + jiff::SignedDuration::from_hours(24 * days);
        let error = identity.check_time(path, then).unwrap_err();
        assert!(error.to_string().contains("/cert.pem is good from 20"));
    }
}

#[test]
fn authorities_are_certificates_that_can_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let (certificate, key) = pem_files(directory.path(), "authority", &["localhost"]);
    assert_eq!(load_authorities(&certificate).unwrap().len(), 1);
    assert!(matches!(
        load_authorities(&key),
        Err(TlsError::NoCertificate(_))
    ));
}
