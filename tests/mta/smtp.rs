//! A client that submits mail (RFC 5321), as one that may send: by AUTH (RFC 4954).

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use base64_simd::STANDARD;

use crate::harness::PATIENCE;

pub struct Smtp(BufReader<TcpStream>);

impl Smtp {
    /// Connects and says who it is. Gives the mechanisms offered, too.
    pub fn open(port: u16) -> (Smtp, Vec<String>) {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut smtp = Smtp(BufReader::new(stream));
        assert_eq!(smtp.reply().0, 220);
        let (code, lines) = smtp.say("EHLO client.example");
        assert_eq!(code, 250);
        let auth = lines.iter().find_map(|line| line.strip_prefix("AUTH "));
        let mechanisms = auth.unwrap_or_default().split(' ').map(str::to_owned);
        (smtp, mechanisms.collect())
    }

    /// AUTH PLAIN with an initial response. The reply's code.
    pub fn plain(&mut self, user: &str, password: &str) -> u16 {
        let response = STANDARD.encode_to_string(format!("\0{user}\0{password}"));
        self.say(&format!("AUTH PLAIN {response}")).0
    }

    /// AUTH LOGIN, step by step.
    pub fn login(&mut self, user: &str, password: &str) -> u16 {
        assert_eq!(self.say("AUTH LOGIN").0, 334);
        assert_eq!(self.say(&STANDARD.encode_to_string(user)).0, 334);
        self.say(&STANDARD.encode_to_string(password)).0
    }

    /// Sends a message with this subject. The code of the reply that decided.
    pub fn send(&mut self, from: &str, to: &[&str], subject: &str, text: &str) -> u16 {
        let (code, _) = self.say(&format!("MAIL FROM:<{from}>"));
        if code != 250 {
            return code;
        }
        for one in to {
            let (code, _) = self.say(&format!("RCPT TO:<{one}>"));
            if code != 250 {
                self.say("RSET");
                return code;
            }
        }
        assert_eq!(self.say("DATA").0, 354);
        let message = format!(
            "From: <{from}>\r\nSubject: {subject}\r\nMessage-ID: <{subject}@test.example>\r\n\r\n{text}\r\n."
        );
        self.say(&message).0
    }

    fn say(&mut self, line: &str) -> (u16, Vec<String>) {
        let stream = self.0.get_mut();
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        self.reply()
    }

    fn reply(&mut self) -> (u16, Vec<String>) {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let (code, text) = line.trim_end().split_at(3.min(line.len()));
            let more = text.starts_with('-');
            lines.push(text.get(1..).unwrap_or_default().to_owned());
            if !more {
                return (code.parse().unwrap_or(0), lines);
            }
        }
    }
}
