//! `culver deliver`, which is `culver-lda` by another name. Its exit codes are those that MTAs understand (sysexits.h).

use std::ffi::{OsStr, OsString};
use std::panic::catch_unwind;
use std::path::Path;

use super::{DeliverArgs, Failure, config};
use crate::config::Config;
use crate::process::deliver::{self, Order, Undelivered};

/// Another name of the program, by which it is this command.
const NAME: &str = "culver-lda";

/// The program's own name.
const OWN_NAME: &str = "culver";

/// The command.
const COMMAND: &str = "deliver";

const USAGE: u8 = 64;
const NO_USER: u8 = 67;
const TRY_AGAIN: u8 = 75;
const NO_PERMISSION: u8 = 77;

/// The arguments as they would be under the program's own name, by which its help calls it too.
pub(super) fn by_name(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let name = arguments.first().map(Path::new).and_then(Path::file_name);
    if name == Some(OsStr::new(NAME)) {
        arguments.splice(..1, [OWN_NAME.into(), COMMAND.into()]);
    }
    arguments
}

/// The exit code where the arguments make no sense: MTAs would take the usual one for something else.
pub(super) fn usage_code(arguments: &[OsString]) -> u8 {
    match arguments.get(1).is_some_and(|word| word == COMMAND) {
        true => USAGE,
        false => 2,
    }
}

pub(super) fn run(args: DeliverArgs) -> Result<(), Failure> {
    let config = match (
        args.config.or_else(config::from_environment),
        config::usual(),
    ) {
        (Some(file), _) => config::placed(&file),
        (None, Some(usual)) => config::placed(usual),
        (None, None) => Ok(Config::default()),
    };
    // What is wrong with it will be mended, and the message waits for that.
    let config = config.map_err(|failure| match failure {
        Failure::Failed(text) | Failure::Usage(text) => Failure::Code(TRY_AGAIN, text),
        Failure::Said => Failure::Code(TRY_AGAIN, String::new()),
        failure => failure,
    })?;
    let order = Order {
        user: args.user,
        sender: args.sender,
        recipient: args.recipient,
        mailbox: args.mailbox,
    };
    // A fault of the program's own must not look like a refusal for good either.
    let delivered = catch_unwind(|| deliver::deliver(config, &order)).unwrap_or_else(|_| {
        let text = "a fault of the program's own";
        Err(Undelivered::TryAgain(text.to_owned()))
    });
    delivered.map_err(|error| {
        let code = match &error {
            Undelivered::Usage(_) => USAGE,
            Undelivered::NoUser(_) => NO_USER,
            Undelivered::NoPermission(_) | Undelivered::TooLarge(_) => NO_PERMISSION,
            Undelivered::OverQuota(_) if args.reject => NO_PERMISSION,
            Undelivered::OverQuota(_) | Undelivered::TryAgain(_) => TRY_AGAIN,
        };
        Failure::Code(code, error.to_string())
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_name_is_the_command() {
        let of = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        let lda = by_name(of(&["/usr/lib/dovecot/culver-lda", "-d", "ann"]));
        assert_eq!(lda, of(&["culver", "deliver", "-d", "ann"]));
        let help = Cli::try_parse_from(by_name(of(&["culver-lda", "--help"])));
        let help = help.unwrap_err().to_string();
        assert!(help.contains("Usage: culver deliver "), "{help}");
        assert_eq!(usage_code(&lda), USAGE);
        let own = by_name(of(&["culver", "deliver"]));
        assert_eq!(own, of(&["culver", "deliver"]));
        assert_eq!(usage_code(&own), USAGE);
        assert_eq!(usage_code(&of(&["culver", "serve"])), 2);
    }
}
