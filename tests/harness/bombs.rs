//! Messages made to cost: shapes whose careless reading takes time that grows with the square of their length.

/// A kind of message that can have any size.
pub struct Shape {
    pub name: &'static str,
    /// A message of about so many octets, whose text ends in the word `needle`.
    pub make: fn(usize) -> Vec<u8>,
}

/// In the order of their names.
pub const SHAPES: &[Shape] = &[
    shape("addresses", |size| {
        field("To", "ann example <ann@example.org>, ", size)
    }),
    shape("base64 with junk", |size| {
        let line = "!*_ Y2hlbWlu IGRl\u{e9} ZmVy==.=\n";
        part(
            "text/plain; charset=utf-8",
            "base64",
            &line.repeat(size / line.len()),
        )
    }),
    shape("base64 without lines", |size| {
        part(
            "text/plain; charset=utf-8",
            "base64",
            &"Y2hlbWlu".repeat(size / 8),
        )
    }),
    shape("boundaries that nearly match", |size| {
        let near = "x".repeat(900);
        let mut text = String::new();
        for level in 0..90 {
            let head = "Content-Type: multipart/mixed; boundary=";
            text += &format!("{head}{near}{level:02}\n\n--{near}{level:02}\n");
        }
        text += "\n";
        let line = format!("--{near}\n");
        text += &line.repeat(size / line.len());
        bomb(&text)
    }),
    shape("comments", |size| field("From", "(a (b) \\) c) ", size)),
    shape("comments in a date", |size| {
        field("Date", "(1 (Jan) 2024) ", size)
    }),
    shape("comments nested", |size| field("From", "(", size)),
    shape("dashes", |size| {
        let head = "Content-Type: multipart/mixed; boundary=\"-\"\n\n";
        bomb(&format!("{head}{}", "--\n".repeat(size / 3)))
    }),
    shape("empty encoded words", |size| {
        field("Subject", "=?utf-8?q??= ", size)
    }),
    shape("encoded words", |size| {
        field("Subject", "=?utf-8?b?w6k=?= =?UTF-8?q?=C3?= ", size)
    }),
    shape("encoded words that never end", |size| {
        field("Subject", "=?utf-8?q?", size)
    }),
    shape("equals signs", |size| {
        part("text/plain", "quoted-printable", &"=".repeat(size))
    }),
    shape("equals signs and blanks", |size| {
        let line = format!("={}", " ".repeat(79));
        part("text/plain", "quoted-printable", &line.repeat(size / 80))
    }),
    shape("fields", |size| {
        let line = "X-Field: a\n";
        let fields = line.repeat(size / line.len());
        bomb(&fields)
    }),
    shape("folded lines", |size| field("Subject", "a\n ", size)),
    shape("groups", |size| {
        field("Cc", "group: a@b, \"c\" <d@e>; ", size)
    }),
    shape("ids", |size| {
        field("References", "<\"a b\"@example.org> ", size)
    }),
    shape("ids that never end", |size| {
        field("References", "<a@", size)
    }),
    shape("line without end", |size| {
        bomb(&format!("\n{}", "x".repeat(size)))
    }),
    shape("lines of a header without colon", |size| {
        bomb(&"no field\n".repeat(size / 9))
    }),
    shape("messages in messages", |size| {
        let head = "Content-Type: message/rfc822\n\n";
        bomb(&head.repeat(size / head.len()))
    }),
    shape("multiparts in multiparts", |size| {
        let mut text = String::new();
        let mut level = 0;
        while text.len() < size {
            let head = "Content-Type: multipart/mixed; boundary=";
            text += &format!("{head}b{level}\n\n--b{level}\n");
            level += 1;
        }
        bomb(&text)
    }),
    shape("NULs", |size| field("Subject", "\0\0\0\0\0\0\0\0", size)),
    shape("octets that are no UTF-8", |size| {
        let head = b"Subject: bomb\nContent-Type: text/plain; charset=utf-8\n\n";
        let mut text = head.to_vec();
        text.extend_from_slice(&b"\xe2\x82\xff\xf0\x9f".repeat(size / 5));
        text.extend_from_slice(b" needle\n");
        text
    }),
    shape("parameters", |size| {
        field("Content-Type", "text/plain; a=\"b\"; c*0*=u''d; ", size)
    }),
    shape("parts", |size| {
        let head = "Content-Type: multipart/mixed; boundary=b\n\n";
        bomb(&format!("{head}{}", "--b\n\nx\n".repeat(size / 7)))
    }),
    shape("pieces of a parameter", |size| {
        let mut text = String::from("Content-Type: text/plain");
        let mut number = 0;
        while text.len() < size {
            text += &format!("; name*{number}*=%c3\n");
            number += 1;
        }
        bomb(&format!("{}\n", text.replace('\n', "\n ")))
    }),
    shape("quotation marks", |size| field("From", "\"\\", size)),
    shape("re: in a subject", |size| {
        field("Subject", "Re: [a] ", size)
    }),
    shape("routes", |size| field("From", "<@a,@b,", size)),
    shape("soft line breaks", |size| {
        part(
            "text/plain",
            "quoted-printable",
            &"=C3=\n=A9".repeat(size / 9),
        )
    }),
    shape("UTF-7", |size| {
        part(
            "text/plain; charset=utf-7",
            "7bit",
            &"+AOk-+2D3eAA+".repeat(size / 13),
        )
    }),
];

const fn shape(name: &'static str, make: fn(usize) -> Vec<u8>) -> Shape {
    Shape { name, make }
}

fn bomb(rest: &str) -> Vec<u8> {
    format!("Subject: bomb\n{rest}\nneedle\n").into_bytes()
}

/// A header field that says one thing again and again.
fn field(name: &str, text: &str, size: usize) -> Vec<u8> {
    format!("{name}: {}\n\nneedle\n", text.repeat(size / text.len())).into_bytes()
}

/// A text of one part.
fn part(content_type: &str, encoding: &str, text: &str) -> Vec<u8> {
    let head = format!("Content-Type: {content_type}\nContent-Transfer-Encoding: {encoding}\n\n");
    let end = match encoding {
        "base64" => "\nbmVlZGxl",
        _ => "-\nneedle",
    };
    bomb(&format!("{head}{text}{end}"))
}
