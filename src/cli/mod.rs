//! The command line. Each flag stands here once: parser, `-h`, `--help` and completions are made of
//! it, and a test holds the manual to it.
//!
//! What was typed is taken apart here and touches nothing; each command then has a file of its own.
//! Facts go to standard output, everything else to standard error. Exit codes: 0 done, 1 failed,
//! 2 usage or configuration; `deliver`, which MTAs start, has those of sysexits.

mod config;
mod deliver;
mod password;
mod serve;
mod user;

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::auth::hash;
use crate::config::address::parse_address;
use crate::process::role;
use crate::process::single::{DEFAULT_LISTEN, DEFAULT_LISTEN_TLS};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
enum Failure {
    /// Exit code 1, with a line for standard error.
    Failed(String),
    /// Exit code 1; everything has been said.
    Said,
    /// Exit code 2, with a line for each mistake.
    Usage(String),
    /// Another exit code, with a line for standard error.
    Code(u8, String),
}

/// IMAP server over Maildir
#[derive(Debug, Parser)]
#[command(
    name = "culver",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  culver serve ~/Maildir\n  culver config check\n  culver password hash"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve mail over IMAP
    ///
    /// With MAILDIR: that Maildir, to one user, without any configuration. It is made if it is not
    /// there. With --stdio: one session, already logged in, on standard input and output. With
    /// neither: what the configuration file says.
    #[command(after_help = "\
Examples:
  culver serve ~/Maildir
  CULVER_PASSWORD=secret culver serve ~/Maildir --user ann --listen 127.0.0.1:0
  ssh host culver serve --stdio
  culver serve --config /etc/culver/culver.toml

Environment:
  CULVER_PASSWORD  the password, where --password is not given
  CULVER_CONFIG    the configuration file, where --config is not given")]
    Serve(ServeArgs),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Hash a password, or try one on a hash
    #[command(subcommand)]
    Password(PasswordCommand),
    /// Show what a login as a user would give
    ///
    /// The sources of users are asked as for a login, without a password, the server or its help.
    #[command(after_help = "\
Examples:
  culver user ann@example.org
  culver user ann --json --config ./culver.toml

Exits with 1 if there is no such user, or no mail for it.")]
    User {
        /// The name, as it would be typed
        user: String,
        /// The configuration file [default: CULVER_CONFIG, else /etc/culver/culver.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
    },
    /// Try who may log in
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Deliver one message from standard input, for MTAs
    ///
    /// It works without the server, and beside it. Started as root it becomes the user first. The
    /// mail goes to the INBOX where nothing names another mailbox that is there. The name
    /// culver-lda does the same.
    #[command(after_help = "\
Examples:
  culver deliver -d ann@example.org < message
  culver deliver -f \"$SENDER\" -a \"$RECIPIENT\" < message

Exits with 0 delivered, 64 usage, 67 no such user, 75 try again, 77 no permission.")]
    Deliver(DeliverArgs),
    /// One of the server's processes; the server starts it
    #[command(hide = true)]
    Role {
        /// What it is, for those who list processes
        name: String,
    },
    /// Print completions for a shell
    #[command(after_help = "Example:\n  culver completions bash > /etc/bash_completion.d/culver")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
struct ServeArgs {
    /// The Maildir to serve
    #[arg(conflicts_with = "config")]
    maildir: Option<PathBuf>,
    /// Serve one session, already logged in, on standard input and output
    #[arg(long)]
    stdio: bool,
    /// Address for IMAP with STARTTLS; port 0 picks a free one
    #[arg(
        long, value_name = "ADDR:PORT", value_parser = parse_address, default_value_t = DEFAULT_LISTEN,
        requires = "maildir", conflicts_with_all = ["stdio", "config"]
    )]
    listen: SocketAddr,
    /// Address for IMAP inside TLS; port 0 picks a free one
    #[arg(
        long, value_name = "ADDR:PORT", value_parser = parse_address, default_value_t = DEFAULT_LISTEN_TLS,
        requires = "maildir", conflicts_with_all = ["stdio", "config"]
    )]
    listen_tls: SocketAddr,
    /// Who may log in [default: the user who runs the server]
    #[arg(
        long,
        value_name = "NAME",
        requires = "maildir",
        conflicts_with_all = ["stdio", "config"]
    )]
    user: Option<String>,
    /// The password [default: a new random one]
    ///
    /// Others on this host may see it among the arguments; CULVER_PASSWORD hides it from them.
    #[arg(
        long,
        value_name = "PW",
        requires = "maildir",
        conflicts_with_all = ["stdio", "config"]
    )]
    password: Option<String>,
    /// Certificate chain as PEM [default: a self-signed one for localhost]
    #[arg(long, value_name = "PEM", requires_all = ["maildir", "key"], conflicts_with_all = ["stdio", "config"])]
    certificate: Option<PathBuf>,
    /// The certificate's private key as PEM
    #[arg(long, value_name = "PEM", requires_all = ["maildir", "certificate"], conflicts_with_all = ["stdio", "config"])]
    key: Option<PathBuf>,
    /// The configuration file [default: /etc/culver/culver.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct DeliverArgs {
    /// Whose mail it is; a sub-address names a mailbox [default: who runs this]
    #[arg(short = 'd', value_name = "USER", allow_hyphen_values = true)]
    user: Option<OsString>,
    /// Who has sent it, for the log
    #[arg(short = 'f', value_name = "SENDER", allow_hyphen_values = true)]
    sender: Option<OsString>,
    /// The address that it was sent to; a sub-address in it names a mailbox
    #[arg(short = 'a', value_name = "RECIPIENT", allow_hyphen_values = true)]
    recipient: Option<OsString>,
    /// The mailbox, in UTF-8
    #[arg(short = 'm', value_name = "MAILBOX", allow_hyphen_values = true)]
    mailbox: Option<OsString>,
    /// Exit with 77, not 75, where the quota is exceeded, so that the MTA returns the message
    #[arg(short = 'e')]
    reject: bool,
    /// The configuration file [default: /etc/culver/culver.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Report every mistake, with line and column
    #[command(after_help = "\
Examples:
  culver config check
  culver config check --json ./culver.toml

Exits with 2 if the server would not start or would let nobody in; warnings alone are no failure.")]
    Check {
        /// The file [default: CULVER_CONFIG, else /etc/culver/culver.toml]
        file: Option<PathBuf>,
        /// Print what was found as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the configuration in force, as TOML that reads back the same
    #[command(after_help = "\
Examples:
  culver config show
  culver config show --defaults ./culver.toml")]
    Show {
        /// The file [default: CULVER_CONFIG, else /etc/culver/culver.toml]
        file: Option<PathBuf>,
        /// Print every key, not only those that differ from their defaults
        #[arg(long)]
        defaults: bool,
        /// Print JSON in place of TOML
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
enum PasswordCommand {
    /// Hash a password for a passwd-file
    ///
    /// The password is read from the terminal without echo, or is the first line of standard input.
    #[command(after_help = "\
Examples:
  culver password hash
  echo secret | culver password hash --scheme SHA512-CRYPT")]
    Hash {
        /// How it is hashed
        #[arg(
            long, default_value = hash::DEFAULT_SCHEME, ignore_case = true,
            value_parser = clap::builder::PossibleValuesParser::new(hash::names())
        )]
        scheme: String,
        /// The user it is for; only DIGEST-MD5 asks for that
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Try a password on a hash; exits with 1 if it is another's
    ///
    /// The password is read from the terminal without echo, or is the first line of standard input.
    #[command(after_help = "\
Example:
  echo secret | culver password verify '{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='")]
    Verify {
        /// The hash, with its {SCHEME} or as crypt(3) has it
        hash: String,
        /// The user it is for; only DIGEST-MD5 asks for that
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum AuthCommand {
    /// Try a password in every source of users; exits with 1 if it does not let the user in
    ///
    /// Each source says what it answers, also where an earlier one decides. The password is read from
    /// the terminal without echo, or is the first line of standard input.
    #[command(after_help = "\
Examples:
  culver auth test ann@example.org
  echo secret | culver auth test ann --address 192.0.2.7 --json")]
    Test {
        /// The name, as it would be typed; user*master where there are master users
        user: String,
        /// The client's address, for sources that go by it [default: none]
        #[arg(long, value_name = "IP")]
        address: Option<IpAddr>,
        /// The configuration file [default: CULVER_CONFIG, else /etc/culver/culver.toml]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print the answers as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Does what the arguments say.
pub fn run() -> ExitCode {
    let arguments = deliver::by_name(std::env::args_os().collect());
    let usage = deliver::usage_code(&arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let is_help = matches!(
                error.kind(),
                ErrorKind::DisplayHelp
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::DisplayVersion
            );
            if is_help {
                // If nobody reads it, nothing is left to be said.
                let _ = error.print();
            } else {
                say(&in_one_line(&error.render().to_string()));
            }
            return match error.use_stderr() {
                true => ExitCode::from(usage),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let result = match cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Config(ConfigCommand::Check { file, json }) => config::check(file, json),
        Command::Config(ConfigCommand::Show {
            file,
            defaults,
            json,
        }) => config::show(file, defaults, json),
        Command::Password(PasswordCommand::Hash { scheme, user }) => {
            password::hash(&scheme, user.as_deref())
        }
        Command::Password(PasswordCommand::Verify { hash, user }) => {
            password::verify(&hash, user.as_deref())
        }
        Command::User { user, config, json } => user::user(&user, config, json),
        Command::Auth(AuthCommand::Test {
            user,
            address,
            config,
            json,
        }) => user::test(&user, address, config, json),
        Command::Deliver(args) => deliver::run(args),
        Command::Role { name } => match role::run(&name) {
            Ok(0) => Ok(()),
            Ok(code) => return ExitCode::from(code),
            Err(error) => Err(serve::failure(error)),
        },
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "culver", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Said) => ExitCode::from(1),
        Err(Failure::Failed(line)) => {
            say(&line);
            ExitCode::from(1)
        }
        Err(Failure::Usage(lines)) => {
            say(&lines);
            ExitCode::from(2)
        }
        Err(Failure::Code(code, line)) => {
            say(&line);
            ExitCode::from(code)
        }
    }
}

/// clap's paragraphs, what is wrong and what may have been meant, as one line.
fn in_one_line(paragraphs: &str) -> String {
    let mut paragraphs = paragraphs.split("\n\n");
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wrong = joined(paragraphs.next().unwrap_or_default());
    let mut line = wrong.strip_prefix("error: ").unwrap_or(&wrong).to_owned();
    for tip in paragraphs.filter_map(|text| text.trim_start().strip_prefix("tip: ")) {
        line.push_str("; ");
        line.push_str(&joined(tip));
    }
    line.push_str(" (--help tells more)");
    line
}

/// Every command and flag as the manual has to name them: `config check`, `serve --listen`. A word
/// that only groups commands is none.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    gather("", &Cli::command(), &mut names);
    names
}

fn gather(path: &str, command: &clap::Command, names: &mut Vec<String>) {
    let within = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path} {name}"),
    };
    for argument in command.get_arguments() {
        match (argument.get_long(), argument.get_short()) {
            (Some(long), _) => names.push(within(&format!("--{long}"))),
            (None, Some(short)) => names.push(within(&format!("-{short}"))),
            (None, None) => {}
        }
    }
    let shown = command.get_subcommands();
    for command in shown.filter(|command| !command.is_hide_set()) {
        let path = within(command.get_name());
        if !command.has_subcommands() {
            names.push(path.clone());
        }
        gather(&path, command, names);
    }
}

/// Writes facts to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// Writes lines to standard error, each with the program's name.
fn say(lines: &str) {
    let mut err = io::stderr().lock();
    for line in lines.lines() {
        // Where this cannot be written, nothing can be said of it either.
        let _ = writeln!(err, "culver: {line}");
    }
}

#[cfg(test)]
mod tests;
