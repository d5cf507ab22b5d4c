//! What goes before a message: Return-Path, Delivered-To and Received (RFC 5321 §4.4), as Dovecot writes them. Where a
//! message is for several, nobody is told of the others, and all of them have the same file.

use std::io;
use std::net::IpAddr;

use jiff::Timestamp;
use rustix::rand::{GetRandomFlags, getrandom};

/// What is known of a message on its way.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    /// The reverse-path without its brackets.
    pub sender: &'a str,
    /// The only recipient, as it was written; `None` where there are several.
    pub recipient: Option<&'a str>,
    /// Who the client says it is; `None`: it has not, or what it said is no name.
    pub client: Option<&'a str>,
    /// Its address, where it has one.
    pub address: Option<IpAddr>,
    /// This host.
    pub host: &'a str,
    /// The transfer's, for the log.
    pub id: &'a str,
    /// When it came.
    pub time: Timestamp,
}

impl Trace<'_> {
    /// The header fields, with their line ends.
    pub fn header(&self) -> String {
        let Trace {
            sender, host, id, ..
        } = self;
        let mut text = format!("Return-Path: <{sender}>\r\n");
        if let Some(recipient) = self.recipient {
            text.push_str(&format!("Delivered-To: {recipient}\r\n"));
        }
        text.push_str(&format!(
            "Received: from {}",
            self.client.unwrap_or("unknown")
        ));
        if let Some(address) = self.address {
            text.push_str(&match address {
                IpAddr::V4(address) => format!(" ([{address}])"),
                IpAddr::V6(address) => format!(" ([IPv6:{address}])"),
            });
        }
        text.push_str(&format!("\r\n\tby {host} with LMTP\r\n\tid {id}"));
        text.push_str(&format!("\r\n\t(envelope-from <{sender}>)"));
        if let Some(recipient) = self.recipient {
            text.push_str(&format!("\r\n\tfor <{recipient}>"));
        }
        let time = self.time.strftime("%a, %d %b %Y %H:%M:%S +0000");
        text.push_str(&format!("; {time}\r\n"));
        text
    }
}

/// A transfer's name in the log, the reply and the trace.
pub(super) fn fresh_id() -> io::Result<String> {
    let mut octets = [0u8; 16];
    getrandom(&mut octets, GetRandomFlags::empty())?;
    Ok(base64_simd::STANDARD_NO_PAD.encode_to_string(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_dovecot_writes_it() {
        let mut trace = Trace {
            sender: "sender@remote.test",
            recipient: Some("alice@example.test"),
            client: Some("client.example"),
            address: Some(IpAddr::from([127, 0, 0, 1])),
            host: "mx.example.test",
            id: "ENj7L5EsA2vKYQAAg+zDdQ",
            time: Timestamp::from_second(1_795_370_130).unwrap(),
        };
        assert_eq!(
            trace.header(),
            "Return-Path: <sender@remote.test>\r\n\
             Delivered-To: alice@example.test\r\n\
             Received: from client.example ([127.0.0.1])\r\n\
             \tby mx.example.test with LMTP\r\n\
             \tid ENj7L5EsA2vKYQAAg+zDdQ\r\n\
             \t(envelope-from <sender@remote.test>)\r\n\
             \tfor <alice@example.test>; Sun, 22 Nov 2026 17:55:30 +0000\r\n"
        );
        trace.recipient = None;
        trace.sender = "";
        trace.client = None;
        trace.address = None;
        assert_eq!(
            trace.header(),
            "Return-Path: <>\r\n\
             Received: from unknown\r\n\
             \tby mx.example.test with LMTP\r\n\
             \tid ENj7L5EsA2vKYQAAg+zDdQ\r\n\
             \t(envelope-from <>); Sun, 22 Nov 2026 17:55:30 +0000\r\n"
        );
    }
}
