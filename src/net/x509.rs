//! The little of an X.509 certificate (RFC 5280) that the TLS library does not tell: from when to when it is good, and the
//! common name of its subject. Whether it can be trusted is not decided here.

/// Tags of DER (X.690 §8.1.2): universal, and those that a certificate gives by context.
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// The longest common name, in octets; X.520 allows 64 characters.
const NAME_MAX: usize = 256;

/// From when to when a certificate is good, each as fourteen digits `YYYYMMDDhhmmss` in UTC, so that they can be compared as
/// texts.
pub fn validity(certificate: &[u8]) -> Option<(String, String)> {
    let (validity, _) = behind_issuer(certificate)?;
    let (from, rest) = time(validity)?;
    let (to, _) = time(rest)?;
    Some((from, to))
}

/// The common name of the subject. `None` where there is none, or more than one: it would say who somebody is.
pub fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, rest) = behind_issuer(certificate)?;
    let (mut names, _) = value(rest, SEQUENCE)?;
    let mut found = None;
    while !names.is_empty() {
        let (mut set, rest) = value(names, SET)?;
        names = rest;
        while !set.is_empty() {
            let (pair, rest) = value(set, SEQUENCE)?;
            set = rest;
            let (kind, rest) = value(pair, OBJECT_IDENTIFIER)?;
            if kind == COMMON_NAME {
                let name = text(rest)?;
                if found.replace(name).is_some() {
                    return None;
                }
            }
        }
    }
    found
}

/// The times of a certificate, and what comes behind them: the subject first (RFC 5280 §4.1).
fn behind_issuer(certificate: &[u8]) -> Option<(&[u8], &[u8])> {
    let (certificate, _) = value(certificate, SEQUENCE)?;
    let (mut signed, _) = value(certificate, SEQUENCE)?;
    if let Some((_, rest)) = value(signed, VERSION) {
        signed = rest;
    }
    // Serial number, signature algorithm and issuer.
    for _ in 0..3 {
        let (_, _, rest) = element(signed)?;
        signed = rest;
    }
    value(signed, SEQUENCE)
}

fn text(octets: &[u8]) -> Option<String> {
    let (tag, text, rest) = element(octets)?;
    let is_text = matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING);
    if !is_text || !rest.is_empty() || text.is_empty() || text.len() > NAME_MAX {
        return None;
    }
    String::from_utf8(text.to_vec()).ok()
}

/// A time, in either form (RFC 5280 §4.1.2.5).
fn time(octets: &[u8]) -> Option<(String, &[u8])> {
    let (tag, digits, rest) = element(octets)?;
    let digits = std::str::from_utf8(digits.strip_suffix(b"Z")?).ok()?;
    let whole = match (tag, digits.len()) {
        (UTC_TIME, 12) if digits < "50" => format!("20{digits}"),
        (UTC_TIME, 12) => format!("19{digits}"),
        (GENERALIZED_TIME, 14) => digits.to_owned(),
        _ => return None,
    };
    let is_time = whole.bytes().all(|octet| octet.is_ascii_digit());
    is_time.then_some((whole, rest))
}

/// What an element of this tag holds, and what comes behind it.
fn value(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, value, rest) = element(octets)?;
    (found == tag).then_some((value, rest))
}

/// The first element: its tag, what it holds, and what comes behind it.
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ ..=0x7f => (usize::from(short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // The indefinite form is not DER, and no certificate that crosses TLS is longer than that.
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
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
        let times = ("20200102000000".to_owned(), "20491231000000".to_owned());
        assert_eq!(validity(&anna), Some(times));
        let long = made(&[(DnType::CommonName, "Änne")], 2051);
        assert_eq!(common_name(&long).unwrap(), "Änne");
        assert_eq!(validity(&long).unwrap().1, "20511231000000");
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
