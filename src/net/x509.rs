//! The little of an X.509 certificate (RFC 5280) that the TLS library does not tell: from when to when it is good, and the
//! common name of its subject. Whether it can be trusted is not decided here.

use x509_parser::prelude::{FromDer, X509Certificate};

/// From when to when a certificate is good, in seconds since 1970.
pub fn validity(certificate: &[u8]) -> Option<(i64, i64)> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let validity = parsed.validity();
    Some((
        validity.not_before.timestamp(),
        validity.not_after.timestamp(),
    ))
}

/// The common name of the subject. `None` where there is none, or more than one: it would say who somebody is.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let mut names = parsed.subject().iter_common_name();
    let (name, None) = (names.next()?, names.next()) else {
        return None;
    };
    name.as_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn made(names: &[(DnType, &str)], until: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        params.not_before = date_time_ymd(2020, 1, 2);
        params.not_after = date_time_ymd(until, 12, 31);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        made.der().to_vec()
    }

    #[test]
    fn names_and_times_are_found() {
        let anna = made(
            &[
                (DnType::OrganizationName, "Example"),
                (DnType::CommonName, "anna@example.org"),
            ],
            2049,
        );
        assert_eq!(common_name(&anna).unwrap(), "anna@example.org");
        assert_eq!(validity(&anna), Some((1_577_923_200, 2_524_521_600)));
        let long = made(&[(DnType::CommonName, "Änne")], 2051);
        assert_eq!(common_name(&long).unwrap(), "Änne");
        assert_eq!(validity(&long).unwrap().1, 2_587_593_600);
        assert_eq!(common_name(&made(&[], 2049)), None);
        let organization = made(&[(DnType::OrganizationName, "anna")], 2049);
        assert_eq!(common_name(&organization), None);
    }

    #[test]
    fn two_names_are_none() {
        let mut two = made(
            &[(DnType::CommonName, "anna"), (DnType::CountryName, "DE")],
            2049,
        );
        // The country, 2.5.4.6, becomes a second common name, in both subject and issuer.
        for place in 0..two.len() - 3 {
            if two[place..place + 3] == [0x55, 0x04, 0x06] {
                two[place + 2] = 0x03;
            }
        }
        assert_eq!(common_name(&two), None);
        assert!(validity(&two).is_some());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(place in 0usize..2000, octet: u8, most in 0usize..2000) {
            let mut octets = made(&[(DnType::CommonName, "anna")], 2049);
            let length = octets.len();
            octets[place % length] = octet;
            octets.truncate(most);
            let _ = (common_name(&octets), validity(&octets));
        }
    }
}
