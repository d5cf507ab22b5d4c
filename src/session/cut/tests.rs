use proptest::prelude::*;

use super::*;
use crate::imap::command::AppendOptions;

/// Cuts as many as `input` has, up to a flood; the same whether it comes at once or octet by octet.
fn cuts(budget: Budget, input: &[u8]) -> Vec<Cut> {
    let at_once = feed(budget, [input]);
    let by_octets = feed(budget, input.chunks(1));
    assert_eq!(at_once, by_octets, "{}", input.escape_ascii());
    at_once
}

fn feed<'i>(budget: Budget, pieces: impl IntoIterator<Item = &'i [u8]>) -> Vec<Cut> {
    let mut cutter = Cutter::new(budget, Vec::new());
    let mut cuts = Vec::new();
    for piece in pieces {
        cutter.input().extend_from_slice(piece);
        while let Some(cut) = cutter.cut() {
            cuts.push(cut);
            if cuts.last() == Some(&Cut::Flood) {
                return cuts;
            }
        }
    }
    cuts
}

fn command(text: &str) -> Cut {
    Cut::Command(text.as_bytes().to_vec())
}

fn refused(cut: &Cut) -> (&str, &str) {
    let Cut::Refused(refusal) = cut else {
        panic!("{cut:?}");
    };
    let tag = refusal.tag.as_ref().map_or("*", Tag::as_str);
    (tag, &refusal.text)
}

#[test]
fn lines_end_in_crlf_or_lf() {
    assert_eq!(
        cuts(BEFORE_LOGIN, b"a NOOP\r\nb NOOP\n\r\nc NO"),
        [command("a NOOP"), command("b NOOP"), command("")]
    );
}

#[test]
fn literals_are_inline() {
    assert_eq!(
        cuts(
            AFTER_LOGIN,
            b"a LOGIN {1+}\r\nu {4+}\r\np\r\nw\r\nb NOOP\r\n"
        ),
        [
            command("a LOGIN {1+}\r\nu {4+}\r\np\r\nw"),
            command("b NOOP")
        ]
    );
    assert_eq!(
        cuts(AFTER_LOGIN, b"a SELECT {5}\r\nINBOX\r\n"),
        [Cut::Literal, command("a SELECT {5}\r\nINBOX")]
    );
    assert_eq!(
        cuts(AFTER_LOGIN, b"a SELECT {0+}\r\n\r\n"),
        [command("a SELECT {0+}\r\n")]
    );
}

#[test]
fn a_refused_literal_is_not_read_as_a_command() {
    // Sent without waiting: it is on its way and has to go somewhere.
    let input = [
        b"a LOGIN {5000+}\r\n".as_slice(),
        &b"x LOGOUT\r\n".repeat(500),
        b" p\r\nb NOOP\r\n",
    ]
    .concat();
    let cuts_of = cuts(BEFORE_LOGIN, &input);
    assert_eq!(refused(&cuts_of[0]).0, "a");
    assert_eq!(cuts_of[1..], [command("b NOOP")]);

    // Waited for: it never comes.
    let cuts_of = cuts(BEFORE_LOGIN, b"a LOGIN {5000}\r\nb NOOP\r\n");
    assert_eq!(
        refused(&cuts_of[0]),
        ("a", "literal too large, 4096 octets at the most")
    );
    assert_eq!(cuts_of[1..], [command("b NOOP")]);
}

#[test]
fn a_whole_command_has_a_budget() {
    let mut input = b"a X".to_vec();
    for _ in 0..5 {
        input.extend_from_slice(b" {4000+}\r\n");
        input.extend_from_slice(&[b'x'; 4000]);
    }
    input.extend_from_slice(b"\r\nb NOOP\r\n");
    let cuts_of = cuts(BEFORE_LOGIN, &input);
    assert_eq!(refused(&cuts_of[0]).0, "a");
    assert_eq!(cuts_of[1..], [command("b NOOP")]);
}

#[test]
fn an_endless_line_costs_no_memory() {
    let mut cutter = Cutter::new(BEFORE_LOGIN, b"a NOOP ".to_vec());
    for _ in 0..30 {
        cutter.input().extend_from_slice(&[b'x'; 1 << 10]);
        assert_eq!(cutter.cut(), None);
        assert!(cutter.ahead() <= 10 << 10);
    }
    cutter.input().extend_from_slice(b"\r\nb NOOP\r\n");
    let cut = cutter.cut().unwrap();
    assert_eq!(
        refused(&cut),
        ("a", "line too long, 8192 octets at the most")
    );
    assert_eq!(cutter.cut(), Some(command("b NOOP")));

    for _ in 0..100 {
        cutter.input().extend_from_slice(&[b'x'; 1 << 10]);
        if cutter.cut() == Some(Cut::Flood) {
            return;
        }
    }
    panic!("64 KiB were swallowed, and more");
}

#[test]
fn what_a_long_line_comes_to_does_not_depend_on_how_it_comes() {
    for (length, expected) in [(65_000, "refused"), (65_568, "refused"), (65_569, "flood")] {
        let line = [b"a ".as_slice(), &vec![b'x'; length - 2], b"\n"].concat();
        let cuts_of = cuts(BEFORE_LOGIN, &line);
        match expected {
            "flood" => assert_eq!(cuts_of, [Cut::Flood]),
            _ => assert_eq!(refused(&cuts_of[0]).0, "a"),
        }
    }
    // Nothing but the last octets of a long line can be a literal's mark, however much of it is there.
    let line = [
        b"a ".as_slice(),
        &[b'x'; 9000],
        b"{00000000000000000000000000000000000000005+}\r\n",
    ];
    let cuts_of = cuts(BEFORE_LOGIN, &line.concat());
    assert_eq!(refused(&cuts_of[0]).0, "a");
}

#[test]
fn a_long_line_may_end_in_a_literal() {
    let mut input = b"a NOOP ".to_vec();
    input.extend_from_slice(&[b'x'; 9000]);
    input.extend_from_slice(b" {8+}\r\nb LOGOUT z\r\nc NOOP\r\n");
    let cuts_of = cuts(BEFORE_LOGIN, &input);
    assert_eq!(refused(&cuts_of[0]).0, "a");
    assert_eq!(cuts_of[1..], [command("c NOOP")]);
}

#[test]
fn nul_and_bare_cr_are_refused() {
    for line in [
        &b"a NO\0OP\r\n"[..],
        b"a NO\rOP\r\n",
        b"a NOOP\r\r\n",
        b"a NOOP \"\r\"\n",
    ] {
        let cuts_of = cuts(AFTER_LOGIN, line);
        assert_eq!(refused(&cuts_of[0]), ("a", "NUL or bare CR in a line"));
    }
}

#[test]
fn announcements_that_cannot_be_met() {
    for line in [
        &b"a X {99999999999999999999+}\r\n"[..],
        b"a X {4294967296+}\r\n",
    ] {
        assert_eq!(cuts(AFTER_LOGIN, line), [Cut::Flood], "{line:?}");
    }
    // Nothing is sent unasked: the refusal is enough.
    for line in [
        &b"a X {4294967296}\r\n"[..],
        b"a X {99999999999999999999}\r\n",
        b"a APPEND x {99999999999999999999}\r\n",
    ] {
        let cuts_of = cuts(AFTER_LOGIN, line);
        assert_eq!(refused(&cuts_of[0]).0, "a");
        assert_eq!(cuts_of.len(), 1);
    }
    // No announcements at all; what they are is for the grammar to say.
    for line in ["a X {-1}", "a X {0x10}", "a X {1 }", "a X {}"] {
        let input = format!("{line}\r\n");
        assert_eq!(cuts(AFTER_LOGIN, input.as_bytes()), [command(line)]);
    }
}

#[test]
fn many_small_literals() {
    let mut input = b"a X".to_vec();
    for _ in 0..200_000 {
        input.extend_from_slice(b" {1+}\r\nx");
    }
    input.extend_from_slice(b"\r\n");
    let mut cutter = Cutter::new(AFTER_LOGIN, input);
    assert_eq!(refused(&cutter.cut().unwrap()).0, "a");
    assert_eq!(cutter.cut(), None);
}

/// Cuts an APPEND's head off, or what leads to a later literal.
fn message(cutter: &mut Cutter) -> (u64, bool) {
    let steps = match cutter.cut() {
        Some(Cut::Append { tag, steps, .. }) => {
            assert_eq!(tag.as_str(), "a");
            steps
        }
        Some(Cut::AppendOn(steps)) => steps,
        other => panic!("{other:?}"),
    };
    let literal = AppendStep::announced(&steps).unwrap();
    (literal.size, literal.non_sync)
}

/// The line ended as it should.
fn ended(cutter: &mut Cutter) {
    assert_eq!(cutter.cut(), Some(Cut::AppendOn(vec![AppendStep::End])));
}

#[test]
fn a_message_is_cut_off() {
    let mut cutter = Cutter::new(
        AFTER_LOGIN,
        b"a APPEND x (\\Seen) {10+}\r\n0123456789\r\nb NOOP\r\n".to_vec(),
    );
    assert_eq!(message(&mut cutter), (10, true));
    assert_eq!(cutter.cut(), None, "not while the message is taken");
    assert_eq!(cutter.message(4), b"0123");
    assert_eq!(cutter.message_left(), 6);
    assert_eq!(cutter.message(100), b"456789");
    assert_eq!(cutter.message(100), b"");
    ended(&mut cutter);
    assert_eq!(cutter.cut(), Some(command("b NOOP")));
}

#[test]
fn the_mailbox_may_be_a_literal_too() {
    let mut cutter = Cutter::new(
        AFTER_LOGIN,
        b"a APPEND {5+}\r\nINBOX {3}\r\nabc\r\n".to_vec(),
    );
    assert_eq!(message(&mut cutter), (3, false));
    assert_eq!(cutter.message(3), b"abc");
    ended(&mut cutter);
}

#[test]
fn the_line_must_end_after_the_message() {
    for rest in [&b" x\r\n"[..], b" \r\n", b" ()\r\n", b"\r\r\n"] {
        let mut input = b"a APPEND x {3+}\r\nabc".to_vec();
        input.extend_from_slice(rest);
        input.extend_from_slice(b"b NOOP\r\n");
        let mut cutter = Cutter::new(AFTER_LOGIN, input);
        message(&mut cutter);
        cutter.message(3);
        let cut = cutter.cut().unwrap();
        assert_eq!(refused(&cut).0, "a");
        assert_eq!(cutter.cut(), Some(command("b NOOP")));
    }
}

/// RFC 3502: `append = "APPEND" SP mailbox 1*append-message`.
#[test]
fn several_messages() {
    let mut cutter = Cutter::new(
        AFTER_LOGIN,
        b"a APPEND x {3}\r\nabc (\\Seen) \" 7-Feb-1994 22:43:04 -0800\" {2+}\r\nde ~{1+}\r\nf\r\nb NOOP\r\n"
            .to_vec(),
    );
    assert_eq!(message(&mut cutter), (3, false));
    assert_eq!(cutter.message(3), b"abc");
    let literal = |cut| match cut {
        Some(Cut::AppendOn(steps)) => match <[AppendStep; 3]>::try_from(steps).unwrap() {
            [
                AppendStep::End,
                AppendStep::Begin {
                    options,
                    catenate: false,
                },
                AppendStep::Literal(literal),
            ] => (options, (literal.size, literal.non_sync, literal.binary)),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let (options, next) = literal(cutter.cut());
    assert_eq!(next, (2, true, false));
    assert_eq!(options.flags.len(), 1);
    assert!(options.date.is_some());
    assert_eq!(cutter.message(3), b"de");
    let (options, next) = literal(cutter.cut());
    assert_eq!(next, (1, true, true));
    assert_eq!(options, AppendOptions::default());
    assert_eq!(cutter.message(3), b"f");
    ended(&mut cutter);
    assert_eq!(cutter.cut(), Some(command("b NOOP")));
}

#[test]
fn what_leads_to_a_later_message_is_refused_with_all_that_follows() {
    for between in [
        " (\\Recent) ",
        "",
        "  ",
        " x ",
        " (\\Seen ",
        " \"bad date\" ",
    ] {
        let input = format!(
            "a APPEND x {{3}}\r\nabc{between}{{10+}}\r\nb LOGOUT\r\n {{3+}}\r\nabc\r\nc NOOP\r\n"
        );
        let mut cutter = Cutter::new(AFTER_LOGIN, input.into_bytes());
        message(&mut cutter);
        cutter.message(3);
        assert_eq!(refused(&cutter.cut().unwrap()).0, "a", "{between:?}");
        assert_eq!(cutter.cut(), Some(command("c NOOP")), "{between:?}");
    }
    let input = b"a APPEND x {3}\r\nabc (\\Recent) {10}\r\nb NOOP\r\n".to_vec();
    let mut cutter = Cutter::new(AFTER_LOGIN, input);
    message(&mut cutter);
    cutter.message(3);
    assert_eq!(refused(&cutter.cut().unwrap()).0, "a");
    assert_eq!(cutter.cut(), Some(command("b NOOP")), "it waits");
}

#[test]
fn a_later_message_given_up_is_swallowed_if_it_comes() {
    let head = b"a APPEND x {3}\r\nabc ";
    for (rest, coming) in [
        (&b"{12+}\r\nb LOGOUT\r\n\r\n {3+}\r\nxyz\r\n"[..], true),
        (b"{12}\r\n", false),
        (b"{0+}\r\n\r\n", true),
        (b"{0}\r\n", false),
    ] {
        let mut input = [head, rest].concat();
        input.extend_from_slice(b"c NOOP\r\n");
        let mut cutter = Cutter::new(AFTER_LOGIN, input);
        message(&mut cutter);
        cutter.message(3);
        message(&mut cutter);
        cutter.give_up_message(coming);
        if coming {
            assert_eq!(refused(&cutter.cut().unwrap()).0, "a");
        }
        assert_eq!(cutter.cut(), Some(command("c NOOP")));
    }
}

/// RFC 4469: a literal that is a URL belongs to the command, one that is a text is handed out.
#[test]
fn parts_of_a_message() {
    let head = b"a APPEND x CATENATE (URL {3}\r\nabc URL {3+}\r\n{5} TEXT {0+}\r\n TEXT {2}\r\n";
    let url = |text: &str| AppendStep::Url(text.into());
    for coming in [true, false] {
        let mut cutter = Cutter::new(AFTER_LOGIN, head.to_vec());
        assert_eq!(cutter.cut(), Some(Cut::Literal));
        let Some(Cut::Append { steps, .. }) = cutter.cut() else {
            panic!("no APPEND");
        };
        assert_eq!(steps[1..3], [url("abc"), url("{5}")]);
        assert_eq!(message(&mut cutter), (2, false));
        if coming {
            cutter.input().extend_from_slice(b"de URL f)\r\n");
            assert_eq!(cutter.message(2), b"de");
            let steps = vec![url("f"), AppendStep::End];
            assert_eq!(cutter.cut(), Some(Cut::AppendOn(steps)));
        } else {
            cutter.give_up_message(false);
        }
        cutter.input().extend_from_slice(b"b NOOP\r\n");
        assert_eq!(cutter.cut(), Some(command("b NOOP")));
    }
}

/// The lines of an APPEND are bounded together, however many messages are between them.
#[test]
fn the_lines_between_messages_count() {
    let keyword = format!("{} ", "k".repeat(50));
    let flags = format!(" ({})", keyword.repeat(1000).trim_end());
    let input = format!(
        "a APPEND x{}\r\nb NOOP\r\n",
        format!("{flags} {{1+}}\r\nx").repeat(25)
    );
    let mut cutter = Cutter::new(AFTER_LOGIN, input.into_bytes());
    // A line is of 51,008 octets, and 1 MiB is the most.
    for _ in 0..20 {
        message(&mut cutter);
        cutter.message(1);
    }
    assert_eq!(
        refused(&cutter.cut().unwrap()),
        ("a", "command too long, 1048576 octets at the most")
    );
    assert_eq!(cutter.cut(), Some(command("b NOOP")));
}

#[test]
fn a_message_given_up_is_swallowed_if_it_comes() {
    let input = b"a APPEND x {12+}\r\nb LOGOUT\r\n\r\n\r\nc NOOP\r\n".to_vec();
    let mut cutter = Cutter::new(AFTER_LOGIN, input.clone());
    message(&mut cutter);
    cutter.give_up_message(true);
    assert_eq!(refused(&cutter.cut().unwrap()).0, "a");
    assert_eq!(cutter.cut(), Some(command("c NOOP")));

    let mut cutter = Cutter::new(AFTER_LOGIN, input);
    message(&mut cutter);
    cutter.message(5);
    cutter.give_up_message(true);
    assert_eq!(refused(&cutter.cut().unwrap()).0, "a", "halfway");
    assert_eq!(cutter.cut(), Some(command("c NOOP")));

    let mut cutter = Cutter::new(AFTER_LOGIN, b"a APPEND x {12}\r\nc NOOP\r\n".to_vec());
    message(&mut cutter);
    cutter.give_up_message(false);
    assert_eq!(cutter.cut(), Some(command("c NOOP")), "it waits");

    let mut cutter = Cutter::new(AFTER_LOGIN, b"a APPEND x {3}\r\nabc\r\nc NOOP\r\n".to_vec());
    message(&mut cutter);
    cutter.message(3);
    cutter.give_up_message(true);
    assert_eq!(refused(&cutter.cut().unwrap()).0, "a", "all but the end");
    assert_eq!(cutter.cut(), Some(command("c NOOP")));
}

#[test]
fn a_malformed_append_swallows_its_message() {
    let cuts_of = cuts(
        AFTER_LOGIN,
        b"a APPEND x () \"bad date\" {10+}\r\nb LOGOUT\r\n\r\nc NOOP\r\n",
    );
    assert_eq!(refused(&cuts_of[0]).0, "a");
    assert_eq!(cuts_of[1..], [command("c NOOP")]);
}

#[test]
fn strangers_append_nothing() {
    assert_eq!(
        cuts(BEFORE_LOGIN, b"a APPEND x {3+}\r\nabc\r\n"),
        [command("a APPEND x {3+}\r\nabc")]
    );
}

#[test]
fn answers_are_lines_whatever_they_announce() {
    let mut cutter = Cutter::new(BEFORE_LOGIN, b"dXNlcg== {5+}\r\nDONE\nrest".to_vec());
    assert_eq!(cutter.cut_line(), Some(command("dXNlcg== {5+}")));
    assert_eq!(cutter.cut_line(), Some(command("DONE")));
    assert_eq!(cutter.cut_line(), None);
    assert_eq!(cutter.into_rest(), b"rest");

    let mut long = vec![b'x'; 10_000];
    long.extend_from_slice(b"\r\nb NOOP\r\n");
    let mut cutter = Cutter::new(BEFORE_LOGIN, long);
    assert_eq!(refused(&cutter.cut_line().unwrap()).0, "*");
    assert_eq!(cutter.cut(), Some(command("b NOOP")));
}

proptest! {
    /// Where the network cuts makes no difference, and nothing panics.
    #[test]
    fn any_octets_at_any_pace(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "a NOOP", "\r\n", "\n", "\r", "\0", "{3}", "{3+}", "~{2+}", "abc", " ", "\"", "a LOGIN ",
                "{70000+}", "{99999999999999999999}",
            ]),
            0..24,
        )
    ) {
        cuts(BEFORE_LOGIN, pieces.concat().as_bytes());
    }

    /// A message comes through whole, in pieces of any size.
    #[test]
    fn messages_in_pieces(octets in prop::collection::vec(any::<u8>(), 1..300), most in 1usize..50) {
        let mut input = format!("a APPEND x {{{}+}}\r\n", octets.len()).into_bytes();
        input.extend_from_slice(&octets);
        input.extend_from_slice(b"\r\n");
        let mut cutter = Cutter::new(AFTER_LOGIN, input);
        message(&mut cutter);
        let mut taken = Vec::new();
        while cutter.message_left() > 0 {
            taken.extend(cutter.message(most));
        }
        prop_assert_eq!(taken, octets);
        ended(&mut cutter);
    }
}
