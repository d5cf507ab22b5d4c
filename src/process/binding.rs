//! What a login can be bound to of the TLS connection that it comes over (RFC 5056): no two connections have the same.

use rustls::ProtocolVersion;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::oid_registry::*;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

use crate::auth::Channel;
use crate::net::stream::Stream;

/// The label by which both ends make the same octets (RFC 9266 §2); they are 32, and made of no context.
const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// What a login over this stream can be bound to, where the client was shown this certificate.
pub fn channel(stream: &Stream, certificate: Option<&CertificateDer<'_>>) -> Option<Channel> {
    let Stream::Tls(tls) = stream else {
        return None;
    };
    let (_, connection) = tls.get_ref();
    // Before TLS 1.3 two connections can be made to have the same, unless both ends know of a countermeasure (RFC 9266
    // §3), and whether they do is not told here.
    let is_safe = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let export = || connection.export_keying_material(vec![0; 32], LABEL, Some(b""));
    let channel = Channel {
        exporter: is_safe.then(export).and_then(Result::ok),
        end_point: certificate.and_then(|certificate| end_point(certificate)),
    };
    (channel != Channel::default()).then_some(channel)
}

/// The certificate's hash, by the hash it is signed with, or a better one (RFC 5929 §4.1); `None`: it is signed without
/// one of its own, as by EdDSA.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm;
    let named = SignatureAlgorithm::try_from(algorithm);
    let signed = match &named {
        Ok(SignatureAlgorithm::RSASSA_PSS(pss)) => pss.hash_algorithm_oid(),
        _ => &algorithm.algorithm,
    };
    let with = |oids: &[Oid<'_>]| oids.contains(signed);
    if with(&[
        OID_SHA1_WITH_RSA,
        OID_PKCS1_SHA1WITHRSA,
        OID_PKCS1_MD5WITHRSAENC,
        OID_HASH_SHA1,
    ]) || with(&[
        OID_PKCS1_SHA256WITHRSA,
        OID_SIG_ECDSA_WITH_SHA256,
        OID_NIST_HASH_SHA256,
    ]) {
        Some(Sha256::digest(certificate).to_vec())
    } else if with(&[
        OID_PKCS1_SHA384WITHRSA,
        OID_SIG_ECDSA_WITH_SHA384,
        OID_NIST_HASH_SHA384,
    ]) {
        Some(Sha384::digest(certificate).to_vec())
    } else if with(&[
        OID_PKCS1_SHA512WITHRSA,
        OID_SIG_ECDSA_WITH_SHA512,
        OID_NIST_HASH_SHA512,
    ]) {
        Some(Sha512::digest(certificate).to_vec())
    } else {
        None
    }
}
