//! The grammar: a command that is taken comes back from every way to write it, and a command that is not
//! gets an error that can be sent.

#[path = "../../../src/imap/parse/tests/writer.rs"]
mod writer;

use culver::imap::parse;
use culver::imap::response::Code;
use culver::imap::url::MessageUrl;

use self::writer::Writer;

/// The first octets choose among the ways to write a command, as many as octet 1 says (8 at the most); the
/// rest is the command.
pub fn check(octets: &[u8]) {
    let Some((count, rest)) = octets.split_first() else {
        return;
    };
    let Some((choices, bytes)) = rest.split_at_checked(usize::from(count % 8)) else {
        return;
    };
    let tag = parse::tag_of(bytes);
    let verb = parse::verb_of(bytes);
    if let Ok(Some((_, head, octets))) = parse::append_head(bytes) {
        let mut progress = parse::Progress::new(&head);
        let _ = parse::append_steps(&mut progress, &bytes[octets..], octets);
    }
    let _ = parse::section(bytes);
    let _ = MessageUrl::parse(bytes);
    let _ = parse::literal_mark(bytes);
    let command = match parse::command(bytes) {
        Ok(command) => command,
        Err(error) => {
            let fit = |octet: u8| matches!(octet, b' '..=b'~');
            assert!(error.expected.bytes().all(fit), "{}", error.expected);
            assert!(!error.expected.is_empty() && error.expected.len() < 1000);
            assert_eq!(error.tag, tag);
            return;
        }
    };
    assert_eq!(tag.as_ref(), Some(&command.tag));
    let name = command.body.name().split(' ').next();
    let verb = verb.expect("a verb").replace("XLIST", "LIST");
    assert_eq!(Some(&*verb), name);

    let mut writer = Writer {
        out: Vec::new(),
        choices: choices.to_vec(),
    };
    writer.command(&command);
    let written = writer.out;
    let again = parse::command(&written);
    // `NOT SEEN` for `UNSEEN` is one level deeper, and may be one too deep.
    if let Err(error) = &again
        && error.code == Some(Code::Limit)
    {
        return;
    }
    assert!(
        again.as_ref() == Ok(&command),
        "{command:?} became {again:?}"
    );
}
