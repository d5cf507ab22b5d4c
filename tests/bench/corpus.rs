//! Mail for the benches, the same for the same seed: three tenths plain text in 8 bits (UTF-8, ISO-8859-1 and
//! KOI8-R), three tenths quoted-printable or base64 text, four tenths multiparts with an HTML alternative and an
//! attachment; about 25 kB a message.

use std::fmt::Write as _;

use crate::harness::{Chance, Maildir};

/// Words that are put into the text of some messages: [`sought`] says which.
pub const SOUGHT: [&str; 10] = [
    "zephyrine",
    "Quokkawort",
    "überzwerch",
    "façonnière",
    "щебетание",
    "Ångströmly",
    "xylograph",
    "Полынья",
    "flibbertig",
    "ŻÓŁĆwik",
];

/// Whether the message of this number has the word of that one: one message in a hundred.
pub fn sought(number: usize, word: usize) -> bool {
    number % 100 == word * 7
}

/// Puts so many messages into a folder's `cur/`, named as Dovecot names them; gives their octets.
pub fn fill(maildir: &Maildir, folder: &str, count: usize) -> u64 {
    let vocabulary = Vocabulary::new();
    let mut octets = 0;
    for number in 0..count {
        let message = message(number, &vocabulary);
        octets += message.len() as u64;
        let name = format!(
            "{}.M{number}P1.bench,S={}:2,S",
            1_700_000_000 + number,
            message.len()
        );
        maildir.place(folder, "cur", &name, &message);
    }
    octets
}

/// Words of three kinds: English, with accents, Cyrillic.
struct Vocabulary([Vec<String>; 3]);

impl Vocabulary {
    fn new() -> Vocabulary {
        let mut chance = Chance::new(7);
        let letters = [
            "etaoinshrdlucmfwypvbgk",
            "eeeetttaaaooiinnssrrddlluumpgvéèüöß",
            "оеаинтсрвлкмдпуяызьбг",
        ];
        Vocabulary(letters.map(|letters| {
            let letters: Vec<char> = letters.chars().collect();
            let word = |chance: &mut Chance| {
                let length = 2 + chance.below(9);
                let mut letter = || letters[chance.below(letters.len() as u64) as usize];
                (0..length).map(|_| letter()).collect()
            };
            (0..3000).map(|_| word(&mut chance)).collect()
        }))
    }

    /// Lines of at most 76 characters, of about so many octets, with the words sought in their midst.
    fn text(&self, kind: usize, octets: usize, number: usize, chance: &mut Chance) -> String {
        let words = &self.0[kind];
        let mut text = String::with_capacity(octets + 100);
        let mut line = 0;
        let mut add = |text: &mut String, word: &str| {
            if line + word.chars().count() > 75 {
                text.push_str("\r\n");
                line = 0;
            } else if line > 0 {
                text.push(' ');
                line += 1;
            }
            text.push_str(word);
            line += word.chars().count();
        };
        let middle = octets / 2;
        let mut waiting = SOUGHT
            .iter()
            .enumerate()
            .filter(|(word, _)| sought(number, *word));
        while text.len() < octets {
            if text.len() > middle
                && let Some((_, word)) = waiting.next()
            {
                add(&mut text, word);
            }
            // Few words make most of a text.
            let most = chance.below(words.len() as u64) + 1;
            add(&mut text, &words[chance.below(most) as usize]);
        }
        text.push_str("\r\n");
        text
    }
}

fn message(number: usize, vocabulary: &Vocabulary) -> Vec<u8> {
    let mut chance = Chance::new(number as u64 + 1);
    let octets = 2_000 + chance.below(40_000) as usize;
    let kind = [0, 0, 1, 1, 2][chance.below(5) as usize];
    let mut mail = String::new();
    write!(
        mail,
        "Return-Path: <list{}@example.org>\r\nReceived: from mx.example.org by mail.example.net with ESMTPS\r\n\
         \tid {number:08x}; Thu, 14 Mar 2024 09:{:02}:{:02} +0100\r\nDate: Thu, 14 Mar 2024 09:00:00 +0100\r\n\
         From: Sender {} <from{}@example.org>\r\nTo: Receiver <to@example.net>\r\n\
         Subject: About {} and {}\r\nMessage-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\n",
        number % 50, number / 60 % 60, number % 60, number % 300, number % 300,
        vocabulary.0[0][number % 3000], vocabulary.0[0][number / 7 % 3000],
    )
    .unwrap();
    match number % 10 {
        // ISO-8859-1 has no Cyrillic, and KOI8-R nothing else; what neither has is left out.
        0 => {
            let (charset, kind) = if number.is_multiple_of(20) {
                ("KOI8-R", 2)
            } else {
                ("ISO-8859-1", 1)
            };
            write!(mail, "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n").unwrap();
            let text = vocabulary.text(kind, octets, number, &mut chance);
            let encoding = encoding_rs::Encoding::for_label(charset.as_bytes()).unwrap();
            let mut mail = mail.into_bytes();
            mail.extend_from_slice(&encoding.encode(&text).0);
            return mail;
        }
        1 | 2 => {
            mail.push_str("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
            mail.push_str(&vocabulary.text(kind, octets, number, &mut chance));
        }
        3 | 4 => {
            let text = vocabulary.text(kind, octets * 3 / 4, number, &mut chance);
            part(
                &mut mail,
                "text/plain",
                "quoted-printable",
                &quoted_printable(&text),
            );
        }
        5 => {
            let text = vocabulary.text(kind, octets * 3 / 4, number, &mut chance);
            part(&mut mail, "text/plain", "base64", &base64(text.as_bytes()));
        }
        _ => {
            let boundary = format!("=_{number}_outer");
            let inner = format!("=_{number}_inner");
            let text = vocabulary.text(kind, octets / 10, number, &mut chance);
            let html = format!(
                "<html><body><p>{}</p></body></html>\r\n",
                text.replace("\r\n", "<br>\r\n")
            );
            write!(
                mail,
                "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n\
                 Content-Type: multipart/alternative; boundary=\"{inner}\"\r\n\r\n--{inner}\r\n"
            )
            .unwrap();
            part(
                &mut mail,
                "text/plain",
                "quoted-printable",
                &quoted_printable(&text),
            );
            write!(mail, "--{inner}\r\n").unwrap();
            part(
                &mut mail,
                "text/html",
                "quoted-printable",
                &quoted_printable(&html),
            );
            write!(mail, "--{inner}--\r\n--{boundary}\r\n").unwrap();
            let attached: Vec<u8> = (0..octets * 6 / 10).map(|_| chance.next() as u8).collect();
            part(&mut mail, "application/pdf", "base64", &base64(&attached));
            write!(mail, "--{boundary}--\r\n").unwrap();
        }
    }
    mail.into_bytes()
}

fn part(mail: &mut String, kind: &str, encoding: &str, body: &str) {
    write!(
        mail,
        "Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}"
    )
    .unwrap();
}

fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive("\r\n") {
        let mut length = 0;
        for byte in line.trim_end_matches("\r\n").bytes() {
            let plain = matches!(byte, b' '..=b'~') && byte != b'=';
            let width = if plain { 1 } else { 3 };
            if length + width > 75 {
                out.push_str("=\r\n");
                length = 0;
            }
            match plain {
                true => out.push(char::from(byte)),
                false => write!(out, "={byte:02X}").unwrap(),
            }
            length += width;
        }
        out.push_str("\r\n");
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3 / 2);
    for line in bytes.chunks(57) {
        out.push_str(&base64_simd::STANDARD.encode_to_string(line));
        out.push_str("\r\n");
    }
    out
}
