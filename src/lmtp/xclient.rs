//! XCLIENT, an extension of Postfix's (its XCLIENT_README): a proxy that is believed says for whom it speaks. Values are
//! xtext (RFC 3461 §4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::command::is_host;

/// What may be said, as it is announced.
pub const ATTRIBUTES: &str = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT";

/// Something that a proxy says of its client; `None`: that it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// The name of its host.
    Name(Option<String>),
    /// Its address.
    Address(Option<IpAddr>),
    /// Who it says it is.
    Helo(Option<String>),
    /// Who it has logged in as.
    Login(Option<String>),
    /// Something that is of no use here.
    Other,
}

/// What follows `XCLIENT`; `None` where it makes no sense.
pub fn parse(rest: &str) -> Option<Vec<Attribute>> {
    let attributes: Option<Vec<_>> = rest.split_ascii_whitespace().map(attribute).collect();
    attributes.filter(|attributes| !attributes.is_empty())
}

fn attribute(word: &str) -> Option<Attribute> {
    let (name, value) = word.split_once('=')?;
    let value = decoded(value)?;
    let known = match value.to_ascii_uppercase().as_str() {
        "[UNAVAILABLE]" | "[TEMPUNAVAIL]" => None,
        _ => Some(value.as_str()),
    };
    let address = |text: &str| {
        let of_six = text
            .get(..5)
            .filter(|six| six.eq_ignore_ascii_case("IPV6:"));
        match of_six.and(text.get(5..)) {
            Some(six) => six.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => text.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        }
    };
    Some(match name.to_ascii_uppercase().as_str() {
        "NAME" => Attribute::Name(known.map(str::to_owned)),
        "ADDR" => Attribute::Address(match known {
            Some(text) => Some(address(text)?.to_canonical()),
            None => None,
        }),
        "HELO" => Attribute::Helo(known.filter(|name| is_host(name)).map(str::to_owned)),
        "LOGIN" => Attribute::Login(known.map(str::to_owned)),
        // The last three are Dovecot's.
        "PORT" | "PROTO" | "DESTADDR" | "DESTPORT" | "SESSION" | "TIMEOUT" | "TTL" => {
            Attribute::Other
        }
        _ => return None,
    })
}

/// A value out of xtext. It may stand in the log, so it has nothing that is not shown.
fn decoded(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            octet => octet,
        });
    }
    let text = String::from_utf8(octets).ok()?;
    (!text.is_empty() && !text.chars().any(char::is_control)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_says() {
        let text = |text: &str| Some(text.to_owned());
        for (said, attributes) in [
            (
                "NAME=spike.porcupine.org ADDR=168.100.189.2",
                vec![
                    Attribute::Name(text("spike.porcupine.org")),
                    Attribute::Address(Some(IpAddr::from([168, 100, 189, 2]))),
                ],
            ),
            (
                "addr=ipv6:2001:db8::1 proto=ESMTP port=25",
                vec![
                    Attribute::Address(Some("2001:db8::1".parse().unwrap())),
                    Attribute::Other,
                    Attribute::Other,
                ],
            ),
            (
                "ADDR=IPV6:::ffff:192.0.2.1",
                vec![Attribute::Address(Some(IpAddr::from([192, 0, 2, 1])))],
            ),
            (
                "NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL] HELO=[unavailable] LOGIN=[UNAVAILABLE]",
                vec![
                    Attribute::Name(None),
                    Attribute::Address(None),
                    Attribute::Helo(None),
                    Attribute::Login(None),
                ],
            ),
            (
                "HELO=client.test LOGIN=ann+40example.org+2B1+3dx",
                vec![
                    Attribute::Helo(text("client.test")),
                    Attribute::Login(text("ann@example.org+1=x")),
                ],
            ),
            ("HELO=a(b", vec![Attribute::Helo(None)]),
            (
                "SESSION=x TIMEOUT=300 TTL=5 DESTADDR=192.0.2.9 DESTPORT=24",
                vec![Attribute::Other; 5],
            ),
        ] {
            assert_eq!(parse(said), Some(attributes), "{said}");
        }
    }

    #[test]
    fn what_is_nonsense() {
        for said in [
            "",
            "NAME",
            "NAME=",
            "NOTHING=x",
            "=x",
            "ADDR=example.org",
            "ADDR=2001:db8::1",
            "ADDR=IPV6:192.0.2.1",
            "ADDR=[192.0.2.1]",
            "NAME=a+",
            "NAME=a+4",
            "NAME=a+4g",
            "NAME=a+0D+0Ab",
            "NAME=+00",
            "NAME=+FF",
            "NAME=x ADDR",
        ] {
            assert_eq!(parse(said), None, "{said}");
        }
    }
}
