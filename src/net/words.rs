//! What the TLS library and the reader of PEM find wrong, in words where they have octets: for the log, and for those who
//! set a server up.

use rustls::CertificateError::{
    UnsupportedSignatureAlgorithmContext, UnsupportedSignatureAlgorithmForPublicKeyContext,
};
use rustls::pki_types::pem;
use x509_parser::asn1_rs::{FromDer, Oid};

/// Characters of a line of PEM that are shown.
const SHOWN: usize = 64;

/// What the reader of PEM says.
pub fn of_pem(error: &pem::Error) -> String {
    let line = |octets: &[u8]| {
        let text = String::from_utf8_lossy(octets);
        text.trim().chars().take(SHOWN).collect::<String>()
    };
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("{:?} has no end", line(end_marker))
        }
        pem::Error::IllegalSectionStart { line: wrong } => {
            format!("no section begins with {:?}", line(wrong))
        }
        error => error.to_string(),
    }
}

/// What the TLS library says.
pub fn of_tls(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(of_certificate) = error else {
        return error.to_string();
    };
    match of_certificate {
        UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: signature,
            ..
        } => format!(
            "it is signed by {}, which is not known here",
            name(signature)
        ),
        UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: signature,
            public_key_algorithm_id: key,
        } => format!(
            "it is signed by {}, which does not go with a key of {}",
            name(signature),
            name(key)
        ),
        _ => error.to_string(),
    }
}

/// An algorithm (RFC 5280 §4.1.1.2), by its number.
fn name(identifier: &[u8]) -> String {
    match Oid::from_der(identifier) {
        Ok((_, number)) => format!("algorithm {number}"),
        Err(_) => "an algorithm without a number".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_have_their_numbers() {
        let sha1 = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05\x05\x00".to_vec();
        let error = UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: sha1.clone(),
            supported_algorithms: Vec::new(),
        };
        assert_eq!(
            of_tls(&error.into()),
            "it is signed by algorithm 1.2.840.113549.1.1.5, which is not known here"
        );
        let error = UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: sha1,
            public_key_algorithm_id: b"\xff".to_vec(),
        };
        assert_eq!(
            of_tls(&error.into()),
            "it is signed by algorithm 1.2.840.113549.1.1.5, which does not go with a key of an algorithm \
             without a number"
        );
        let error = rustls::CertificateError::UnknownIssuer;
        assert!(of_tls(&error.into()).ends_with("UnknownIssuer"));
    }

    #[test]
    fn lines_of_pem_are_shown() {
        let wrong = pem::Error::IllegalSectionStart {
            line: b"-----BEGIN x\n".to_vec(),
        };
        assert_eq!(of_pem(&wrong), "no section begins with \"-----BEGIN x\"");
    }
}
