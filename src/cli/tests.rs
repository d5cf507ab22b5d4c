//! What is taken on the command line, and what is not.

use std::os::unix::ffi::OsStringExt;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn ways_to_serve() {
    for good in [
        "culver serve",
        "culver serve /m",
        "culver serve /m --listen localhost:0 --listen-tls [::1]:1993 --user ann --password x",
        "culver serve /m --certificate c --key k",
        "culver serve --config f",
        "culver serve --stdio",
        "culver serve --stdio /m",
        "culver serve /m --stdio",
        "culver serve --stdio --config f",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
    for bad in [
        "culver",
        "culver serve /m --config f",
        "culver serve --listen 127.0.0.1:1",
        "culver serve --password x",
        "culver serve --config f --user ann",
        "culver serve /m --certificate c",
        "culver serve /m --key k",
        "culver serve /m --listen 1143",
        "culver serve --stdio /m --listen 127.0.0.1:1",
        "culver serve /m /n",
        "culver password hash --scheme NONSENSE",
        "culver password hash secret",
        "culver completions tcsh",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn an_mta_may_name_anything() {
    let odd = OsString::from_vec(b"-\xff@example.org".to_vec());
    for flag in ["-d", "-f", "-a", "-m"] {
        for value in ["-foo@example.org", "-e", "--", "-", ""].map(OsString::from) {
            let arguments = ["culver", "deliver", flag].map(OsString::from);
            let parsed = Cli::try_parse_from(arguments.into_iter().chain([value.clone()]));
            let Ok(Command::Deliver(args)) = parsed.map(|cli| cli.command) else {
                panic!("{flag} {value:?}");
            };
            let taken = [args.user, args.sender, args.recipient, args.mailbox];
            assert_eq!(taken.into_iter().flatten().collect::<Vec<_>>(), [value]);
            assert!(!args.reject, "{flag}");
        }
        let arguments = ["culver", "deliver", flag].map(OsString::from);
        assert!(Cli::try_parse_from(arguments.into_iter().chain([odd.clone()])).is_ok());
    }
}

#[test]
fn schemes_may_be_written_in_lower_case() {
    assert!(parse("culver password hash --scheme sha512-crypt").is_ok());
}

#[test]
fn every_line_of_help_fits_and_every_command_has_an_example() {
    fn look(command: &mut clap::Command) {
        let help = command.render_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
        let leaf = command.get_subcommands().next().is_none();
        if leaf {
            assert!(help.contains("Example"), "{}", command.get_name());
        }
        for inner in command.get_subcommands_mut() {
            if inner.get_name() != "help" && !inner.is_hide_set() {
                look(inner);
            }
        }
    }
    let mut command = Cli::command().term_width(80);
    command.build();
    look(&mut command);
}

#[test]
fn a_usage_error_is_one_line() {
    let line = |arguments| {
        let error = parse(arguments).expect_err(arguments);
        in_one_line(&error.render().to_string())
    };
    assert_eq!(
        line("culver serve /m --lisen x"),
        "unexpected argument '--lisen' found; a similar argument exists: '--listen' (--help tells more)"
    );
    assert_eq!(
        line("culver serve --user ann"),
        "the following required arguments were not provided: <MAILDIR> (--help tells more)"
    );
}

#[test]
fn names_for_the_manual() {
    let names = names();
    for name in ["serve", "serve --listen-tls", "config show --defaults"] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
}
