//! What is computed of a message (RFC 3501 §7.4.2, RFC 9051 §7.5.2): ENVELOPE, BODY and BODYSTRUCTURE.

use super::one;
use crate::harness::{Client, Server};

/// A multipart message with a message in it, which again has two parts.
pub(super) const NESTED: &str = "From: \"A. Sender\" <a@example.org>, b@example.org\r\n\
To: undisclosed-recipients:;\r\n\
Cc: =?utf-8?Q?J=C3=BCrgen?= <j@example.org>\r\n\
Reply-To: list@example.org\r\n\
Subject: nested\r\n\
Date: Thu, 14 Mar 2024 09:00:00 +0100\r\n\
Message-ID: <1@example.org>\r\n\
In-Reply-To: <0@example.org>\r\n\
MIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"out\"\r\n\
\r\n\
preamble\r\n\
--out\r\n\
Content-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\
\r\n\
Gr=C3=BC=C3=9Fe\r\n\
--out\r\n\
Content-Type: message/rfc822\r\n\
Content-Disposition: inline\r\n\
\r\n\
From: inner@example.org\r\n\
Subject: inner\r\n\
Content-Type: multipart/alternative; boundary=in\r\n\
\r\n\
--in\r\n\
Content-Type: text/plain\r\n\
\r\n\
plain\r\n\
--in\r\n\
Content-Type: text/html\r\n\
\r\n\
<p>html</p>\r\n\
--in--\r\n\
inner epilogue\r\n\
--out\r\n\
Content-Type: application/octet-stream; name=\"x.bin\"\r\n\
Content-Transfer-Encoding: base64\r\n\
Content-Disposition: attachment; filename=\"x.bin\"\r\n\
Content-ID: <part3@example.org>\r\n\
Content-Description: some bytes\r\n\
\r\n\
AAECAwQ=\r\n\
--out--\r\n\
epilogue\r\n";

#[test]
fn the_structure_of_a_nested_message() {
    let server = Server::start();
    let mut c = one(&server, NESTED);
    let inner_envelope = "(NIL \"inner\" ((NIL NIL \"inner\" \"example.org\")) ((NIL NIL \"inner\" \"example.org\")) ((NIL NIL \"inner\" \"example.org\")) NIL NIL NIL NIL NIL)";
    let inner_size = size_of_part("From: inner", "inner epilogue");
    c.check("FETCH 1 BODY", &[&format!(
        "* 1 FETCH (BODY ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 15 0)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" {inner_size} {inner_envelope} \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 0) \"alternative\") 13)\
         (\"application\" \"octet-stream\" (\"name\" \"x.bin\") \"<part3@example.org>\" \"some bytes\" \"base64\" 8) \"mixed\"))"
    )], "OK");
    c.check("FETCH 1 BODYSTRUCTURE", &[&format!(
        "* 1 FETCH (BODYSTRUCTURE ((\"text\" \"plain\" (\"charset\" \"utf-8\") NIL NIL \"quoted-printable\" 15 0 NIL NIL NIL NIL)\
         (\"message\" \"rfc822\" NIL NIL NIL \"7bit\" {inner_size} {inner_envelope} \
         ((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 5 0 NIL NIL NIL NIL)\
         (\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 11 0 NIL NIL NIL NIL) \"alternative\" (\"boundary\" \"in\") NIL NIL NIL) 13 NIL (\"inline\" NIL) NIL NIL)\
         (\"application\" \"octet-stream\" (\"name\" \"x.bin\") \"<part3@example.org>\" \"some bytes\" \"base64\" 8 NIL (\"attachment\" (\"filename\" \"x.bin\")) NIL NIL) \"mixed\" (\"boundary\" \"out\") NIL NIL NIL))"
    )], "OK");
    c.check("FETCH 1 ENVELOPE", &[
        "* 1 FETCH (ENVELOPE (\"Thu, 14 Mar 2024 09:00:00 +0100\" \"nested\" \
         ((\"A. Sender\" NIL \"a\" \"example.org\")(NIL NIL \"b\" \"example.org\")) \
         ((\"A. Sender\" NIL \"a\" \"example.org\")(NIL NIL \"b\" \"example.org\")) \
         ((NIL NIL \"list\" \"example.org\")) \
         ((NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)) \
         ((\"=?utf-8?Q?J=C3=BCrgen?=\" NIL \"j\" \"example.org\")) NIL \"<0@example.org>\" \"<1@example.org>\"))",
    ], "OK");
}

fn size_of_part(from: &str, to: &str) -> usize {
    let start = NESTED.find(from).unwrap();
    NESTED[start..].find(to).unwrap() + to.len()
}

/// Appends a message with this header to the selected mailbox, and gives its number.
fn appended(c: &mut Client, header: &str) -> u32 {
    // No message has gone: its UID is its number.
    let number = c.append("INBOX", "", &format!("{header}\r\n\r\nbody\r\n"));
    c.ok("NOOP");
    number
}

/// Demands this ENVELOPE of a message with this header.
#[track_caller]
fn envelope(c: &mut Client, header: &str, expected: &str) {
    let number = appended(c, header);
    c.check(
        &format!("FETCH {number} ENVELOPE"),
        &[&format!("* {number} FETCH (ENVELOPE ({expected}))")],
        "OK",
    );
}

/// "The fields of the envelope structure are in the following order: date, subject, from, sender, reply-to, to, cc, bcc,
/// in-reply-to, and message-id."
#[test]
fn the_fields_of_an_envelope() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    envelope(
        &mut c,
        "Message-ID: <m>\r\nIn-Reply-To: <i>\r\nBcc: bcc@x\r\nCc: cc@x\r\nTo: to@x\r\nReply-To: reply@x\r\n\
         Sender: sender@x\r\nFrom: from@x\r\nSubject: subject\r\nDate: date",
        "\"date\" \"subject\" ((NIL NIL \"from\" \"x\")) ((NIL NIL \"sender\" \"x\")) ((NIL NIL \"reply\" \"x\")) \
         ((NIL NIL \"to\" \"x\")) ((NIL NIL \"cc\" \"x\")) ((NIL NIL \"bcc\" \"x\")) \"<i>\" \"<m>\"",
    );
    // "If the Date, Subject, In-Reply-To, and Message-ID header fields are absent in the [RFC5322] header, the
    // corresponding member of the envelope is NIL". "If the From, To, Cc, and Bcc header fields are absent […] the
    // corresponding member of the envelope is NIL."
    envelope(
        &mut c,
        "X-Other: x",
        "NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL",
    );
    // "if these header fields are present but empty, the corresponding member of the envelope is the empty string";
    // From, To, Cc, Bcc "present but empty" are NIL.
    envelope(
        &mut c,
        "Date:\r\nSubject: \r\nFrom:\r\nSender:\r\nReply-To:\r\nTo:\r\nCc: \r\nBcc:\r\nIn-Reply-To:\r\nMessage-ID:",
        "\"\" \"\" NIL NIL NIL NIL NIL NIL \"\" \"\"",
    );
    // "If the Sender or Reply-To header fields are absent in the [RFC5322] header, or are present but empty, the server
    // sets the corresponding member of the envelope to be the same value as the from member".
    for header in ["From: a@x", "Sender:\r\nReply-To: \r\nFrom: a@x"] {
        let from = "((NIL NIL \"a\" \"x\"))";
        envelope(
            &mut c,
            header,
            &format!("NIL NIL {from} {from} {from} NIL NIL NIL NIL NIL"),
        );
    }
}

/// "The fields of an address structure are in the following order: display name, [SMTP] at-domain-list (source route
/// and obs-route ABNF production from [RFC5322]), mailbox name […], and hostname." RFC 9051 §9: "after removing
/// [RFC5322] quoting".
#[test]
fn addresses() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    for (given, expected) in [
        ("a@x", "(NIL NIL \"a\" \"x\")"),
        ("Name <a@x>", "(\"Name\" NIL \"a\" \"x\")"),
        ("\"Q. Name\" <a@x>", "(\"Q. Name\" NIL \"a\" \"x\")"),
        ("a@x (Comment)", "(\"Comment\" NIL \"a\" \"x\")"),
        ("\"two words\"@x", "(NIL NIL \"two words\" \"x\")"),
        ("<@r1,@r2:a@x>", "(NIL \"@r1,@r2\" \"a\" \"x\")"),
        ("a@x, b@y", "(NIL NIL \"a\" \"x\")(NIL NIL \"b\" \"y\")"),
        // "[RFC5322] group syntax is indicated by a special form of address structure in which the hostname field is
        // NIL. If the mailbox name field is also NIL, this is an end-of-group marker […]. If the mailbox name field is
        // non-NIL, this is the start of a group marker, and the mailbox name field holds the group name phrase."
        (
            "Group: a@x, B <b@y>;",
            "(NIL NIL \"Group\" NIL)(NIL NIL \"a\" \"x\")(\"B\" NIL \"b\" \"y\")(NIL NIL NIL NIL)",
        ),
        (
            "undisclosed-recipients:;",
            "(NIL NIL \"undisclosed-recipients\" NIL)(NIL NIL NIL NIL)",
        ),
        (
            "A: a@x;, B: b@x;",
            "(NIL NIL \"A\" NIL)(NIL NIL \"a\" \"x\")(NIL NIL NIL NIL)(NIL NIL \"B\" NIL)(NIL NIL \"b\" \"x\")(NIL NIL NIL NIL)",
        ),
    ] {
        envelope(
            &mut c,
            &format!("To: {given}"),
            &format!("NIL NIL NIL NIL NIL ({expected}) NIL NIL NIL NIL"),
        );
    }
}

/// The basic fields "in the following order: body type, body subtype, body parameter parenthesized list, body id, body
/// description, body encoding, body size", lines for TEXT; then the extension data: "body MD5, body disposition, body
/// language, body location". "Extension data is never returned with the BODY fetch but can be returned with a BODYSTRUCTURE
/// fetch. Extension data, if present, MUST be in the defined order." After it nothing: "Server implementations MUST NOT send
/// such extension data until it has been defined by a revision of this protocol."
#[test]
fn a_single_part() {
    let server = Server::start();
    let mut c = server.selected("INBOX");
    for (header, basic, extension) in [
        // RFC 2045 §5.2: text/plain; charset=us-ascii is what it is by default.
        (
            "Subject: x",
            "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 6 1",
            "NIL NIL NIL NIL",
        ),
        (
            "Content-Type: text/html; charset=utf-8; format=flowed\r\nContent-ID: <id@x>\r\n\
             Content-Description: what it is\r\nContent-Transfer-Encoding: 8bit",
            "\"text\" \"html\" (\"charset\" \"utf-8\" \"format\" \"flowed\") \"<id@x>\" \"what it is\" \"8bit\" 6 1",
            "NIL NIL NIL NIL",
        ),
        (
            "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nContent-MD5: bWQ1\r\n\
             Content-Disposition: attachment; filename=a.png; size=1\r\nContent-Language: en\r\n\
             Content-Location: http://example.org/a",
            "\"image\" \"png\" NIL NIL NIL \"base64\" 6",
            "\"bWQ1\" (\"attachment\" (\"filename\" \"a.png\" \"size\" \"1\")) (\"en\") \"http://example.org/a\"",
        ),
        (
            "Content-Type: application/x-y\r\nContent-Disposition: inline\r\nContent-Language: en, de",
            "\"application\" \"x-y\" NIL NIL NIL \"7bit\" 6",
            "NIL (\"inline\" NIL) (\"en\" \"de\") NIL",
        ),
        // RFC 9051: "Servers SHOULD decode parameter-value continuations […] as described in [RFC2231]".
        (
            "Content-Type: application/x; name*0=one; name*1=\"two\"; name*2=three\r\n\
             Content-Disposition: attachment; filename*1=b; filename*0=a",
            "\"application\" \"x\" (\"name\" \"onetwothree\") NIL NIL \"7bit\" 6",
            "NIL (\"attachment\" (\"filename\" \"ab\")) NIL NIL",
        ),
        // "and parameter-value character sets": the parts are put together under the name the RFC gives, and what they mean
        // is left to the client, as Dovecot leaves it, for decoded it could not be a quoted string of 7 bits.
        (
            "Content-Type: application/x; foo*0*=utf-8''%c3%a9; foo*1*=%41",
            "\"application\" \"x\" (\"foo*\" \"utf-8''%c3%a9%41\") NIL NIL \"7bit\" 6",
            "NIL NIL NIL NIL",
        ),
    ] {
        let number = appended(&mut c, header);
        c.check(
            &format!("FETCH {number} BODY"),
            &[&format!("* {number} FETCH (BODY ({basic}))")],
            "OK",
        );
        c.check(
            &format!("FETCH {number} BODYSTRUCTURE"),
            &[&format!(
                "* {number} FETCH (BODYSTRUCTURE ({basic} {extension}))"
            )],
            "OK",
        );
    }
}

/// "Multiple parts are indicated by parenthesis nesting." "The extension data of a multipart body part are in the
/// following order: body parameter parenthesized list, body disposition, body language, body location". "A body type of
/// type MESSAGE and subtype RFC822 contains, immediately after the basic fields, the envelope structure, body structure,
/// and size in text lines of the encapsulated message."
#[test]
fn parts_and_messages_within() {
    let part = "Content-Type: text/plain\r\n\r\npart";
    let server = Server::start();
    let mut c = one(
        &server,
        &format!(
            "Content-Type: multipart/mixed; boundary=b; x=y\r\nContent-Disposition: inline; a=b\r\n\
             Content-Language: en\r\nContent-Location: loc\r\n\r\n--b\r\n{part}\r\n--b\r\n\
             Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\none\r\ntwo\r\n--b--\r\n"
        ),
    );
    let envelope = "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)";
    let text = "\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\"";
    c.check(
        "FETCH 1 BODY",
        &[&format!(
            "* 1 FETCH (BODY (({text} 4 0)(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 {envelope} ({text} 8 1) 3) \"mixed\"))"
        )],
        "OK",
    );
    let none = "NIL NIL NIL NIL";
    c.check(
        "FETCH 1 BODYSTRUCTURE",
        &[&format!(
            "* 1 FETCH (BODYSTRUCTURE (({text} 4 0 {none})(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 23 {envelope} \
             ({text} 8 1 {none}) 3 {none}) \"mixed\" (\"boundary\" \"b\" \"x\" \"y\") (\"inline\" (\"a\" \"b\")) (\"en\") \"loc\"))"
        )],
        "OK",
    );
}
