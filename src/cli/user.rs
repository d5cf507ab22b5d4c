//! `culver user` and `culver auth test`: what the sources of users say.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Failure, config, password, print, serve};
use crate::auth::{Answer, Secret, Verdict};
use crate::config::{Config, Source};
use crate::process::directory::{self, Facts, Test, Unknown};

pub(super) fn user(name: &str, file: Option<PathBuf>, json: bool) -> Result<(), Failure> {
    let config = config::load(&config::path(file))?;
    let facts = directory::user(&config, name).map_err(|error| match error {
        Unknown::Failed(error) => serve::failure(error),
        error => Failure::Failed(error.to_string()),
    })?;
    let sources = || facts.sources.iter().map(|number| source(&config, *number));
    if json {
        let sources: Vec<Value> = sources().map(Named::into_json).collect();
        return config::print_json(&json!({
            "user": facts.user,
            "uid": facts.uid,
            "gid": facts.gid,
            "home": facts.home,
            "mail": facts.mail,
            "control": facts.control,
            "quota": { "storage": facts.storage, "messages": facts.messages },
            "sources": sources,
            // `null`: that is not known here.
            "login": facts.up_to.is_none().then_some(facts.closed.is_none()),
            "reason": facts.closed.as_deref().or(facts.up_to),
        }));
    }
    let sources: Vec<String> = sources().map(|one| one.to_string()).collect();
    print(&lines(&facts, &sources.join(", ")))
}

fn lines(facts: &Facts, sources: &str) -> String {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{:<9}{value}", format!("{key}:"));
    };
    line("user", &facts.user);
    line("uid", &or_none(facts.uid.map(|uid| uid.to_string())));
    line("gid", &or_none(facts.gid.map(|gid| gid.to_string())));
    line("home", &or_none(facts.home.clone()));
    line("mail", &facts.mail.display().to_string());
    if let Some(control) = &facts.control {
        line("control", &control.display().to_string());
    }
    let storage = facts.storage.map(|octets| format!("{octets} octets"));
    let messages = facts.messages.map(|count| format!("{count} messages"));
    let quota: Vec<String> = storage.into_iter().chain(messages).collect();
    line(
        "quota",
        &or_none((!quota.is_empty()).then(|| quota.join(", "))),
    );
    line("source", sources);
    match (&facts.closed, facts.up_to) {
        (Some(why), _) => line("login", &format!("refused: {why}")),
        (None, Some(up_to)) => line("login", up_to),
        (None, None) => line("login", "allowed"),
    }
    text
}

pub(super) fn test(
    name: &str,
    address: Option<IpAddr>,
    file: Option<PathBuf>,
    json: bool,
) -> Result<(), Failure> {
    let config = config::load(&config::path(file))?;
    let typed = password::read(false)?;
    let secret = Secret::new(typed.to_vec());
    let test = directory::password(&config, name, secret, address).map_err(serve::failure)?;
    let Test { trial, unserved } = test;
    let (word, what) = match (&trial.verdict, unserved) {
        (Some(Verdict::Granted(_)), Some(why)) => ("unserved", why),
        (Some(Verdict::Granted(granted)), None) => ("granted", granted.user.clone()),
        (Some(Verdict::Denied), _) => ("denied", String::new()),
        (Some(Verdict::Disabled(why)), _) => ("disabled", why.clone()),
        (Some(Verdict::Unavailable) | None, _) => ("unavailable", String::new()),
    };
    let answers = trial.answers.iter();
    let answers = answers.map(|(number, answer)| (source(&config, *number), said(answer)));
    if json {
        let sources = answers.map(|(source, (answer, why))| {
            let mut value = source.into_json();
            value["answer"] = json!(answer);
            value["reason"] = json!(why);
            value
        });
        let granted = word == "granted";
        let has_reason = matches!(word, "disabled" | "unserved");
        config::print_json(&json!({
            "name": name,
            "verdict": word,
            "user": granted.then_some(&what),
            "reason": has_reason.then_some(&what),
            "sources": sources.collect::<Vec<Value>>(),
        }))?;
    } else {
        let mut text = String::new();
        for (source, (answer, why)) in answers {
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            let _ = writeln!(text, "{source}: {answer}{why}");
        }
        let _ = match word {
            "granted" => writeln!(text, "granted: {what} is let in"),
            "denied" => writeln!(text, "denied: wrong password, or no such user"),
            "unserved" => writeln!(text, "unserved: the password is right, but {what}"),
            "disabled" => writeln!(text, "disabled: {what}"),
            _ => writeln!(text, "unavailable: a source cannot say"),
        };
        print(&text)?;
    }
    match word {
        "granted" => Ok(()),
        _ => Err(Failure::Said),
    }
}

/// An answer, and its reason where it has one.
fn said(answer: &Answer) -> (&'static str, Option<&str>) {
    match answer {
        Answer::Right => ("right", None),
        Answer::Closed(why) => ("right, but refused", Some(why)),
        Answer::Wrong => ("wrong password", None),
        Answer::Unknown => ("no such user", None),
        Answer::No => ("wrong password, or no such user", None),
        Answer::Unavailable => ("cannot say", None),
    }
}

/// A source as the configuration has it.
struct Named {
    /// Counted from 1.
    number: usize,
    kind: &'static str,
    /// Which of its kind.
    what: Option<String>,
}

fn source(config: &Config, place: usize) -> Named {
    let source = config.auth.source.get(place).map(|one| &one.source);
    let what = match source {
        Some(Source::PasswdFile { path, .. }) => Some(path.as_str().to_owned()),
        Some(Source::Pam { service }) => Some(service.clone()),
        Some(Source::Exec { command, .. }) => command.first().cloned(),
        Some(Source::Passwd | Source::Static { .. }) | None => None,
    };
    Named {
        number: place.saturating_add(1),
        kind: source.map_or("", |source| source.kind().as_str()),
        what,
    }
}

impl Named {
    fn into_json(self) -> Value {
        json!({ "number": self.number, "kind": self.kind, "what": self.what })
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.number, self.kind)?;
        match &self.what {
            Some(what) => write!(f, " {what}"),
            None => Ok(()),
        }
    }
}
