//! The manual and the program name the same things: every command, flag, key and password scheme
//! stands in `man/`, and everything that stands there exists.
//!
//! Read are the `.It` lines of the pages, which are where a thing is described; what else the text
//! mentions is its own affair.

use std::collections::BTreeSet;

const COMMANDS: &str = include_str!("../man/culver.1");
const DELIVER: &str = include_str!("../man/culver-deliver.1");
const KEYS: &str = include_str!("../man/culver.toml.5");

type Names = BTreeSet<String>;

#[track_caller]
fn same(program: Names, manual: Names) {
    let missing: Vec<_> = program.difference(&manual).collect();
    let invented: Vec<_> = manual.difference(&program).collect();
    assert!(missing.is_empty(), "not in the manual: {missing:?}");
    assert!(invented.is_empty(), "in the manual alone: {invented:?}");
}

/// What follows `.It` in each item of a page, without the macros that only punctuate.
fn items(page: &str) -> impl Iterator<Item = Vec<&str>> {
    page.lines()
        .filter_map(|line| line.strip_prefix(".It "))
        .map(|line| {
            line.split_whitespace()
                .filter(|word| !matches!(*word, "Op" | "Oo" | "Oc" | ","))
                .collect()
        })
}

/// Commands and flags: an item of `Cm` begins a command, those of `Fl` after it are its own. `deliver` has a page of
/// its own.
fn commands_of_the_manual() -> Names {
    let mut names = commands_of(COMMANDS, "");
    names.extend(commands_of(DELIVER, "deliver"));
    names
}

fn commands_of(page: &str, first: &str) -> Names {
    let mut names = Names::new();
    let mut command = first.to_owned();
    for words in items(page) {
        if words.first() == Some(&"Cm") {
            let name = words.iter().skip(1);
            let name: Vec<&str> = name
                .take_while(|word| !matches!(**word, "Ar" | "Fl"))
                .copied()
                .collect();
            command = name.join(" ");
            names.insert(command.clone());
        }
        for pair in words.windows(2) {
            if let ["Fl", flag] = pair {
                names.insert(format!("{command} -{flag}"));
            }
        }
    }
    names
}

#[test]
fn every_command_and_flag() {
    same(
        culver::cli::names().into_iter().collect(),
        commands_of_the_manual(),
    );
}

#[test]
fn every_key() {
    let described = items(KEYS)
        .filter(|words| words.first() == Some(&"Ic"))
        .flat_map(|words| words.into_iter().skip(1).map(str::to_owned))
        .collect();
    same(culver::config::names().into_iter().collect(), described);
}

#[test]
fn every_password_scheme() {
    let (_, schemes) = COMMANDS
        .split_once(".Sh PASSWORD SCHEMES\n")
        .expect("the section is there");
    let section = schemes.split(".Sh ").next().unwrap_or_default();
    let described = items(section).flatten().map(str::to_owned).collect();
    let known = culver::auth::hash::names();
    same(known.into_iter().map(str::to_owned).collect(), described);
}

/// The default that the manual names for a key is the one in force.
#[test]
fn every_default() {
    let shown = culver::config::Config::default().to_toml(true);
    let mut section = String::new();
    for line in shown.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = format!("{}.", header.trim_matches(['[', ']']));
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        // What is nothing, or not, is said in words.
        if matches!(value, "[]" | "{}" | "false") || key == "kind" {
            continue;
        }
        let item = format!("{section}{key}");
        let text = KEYS
            .split(".It Ic ")
            .find(|text| {
                text.lines()
                    .next()
                    .is_some_and(|names| names.split(" , ").any(|name| name == item))
            })
            .unwrap_or_else(|| panic!("{item} is not described"));
        let plain = text.replace("\\(dq", "\"");
        assert!(plain.contains(value), "{item}: the default is {value}");
        assert!(
            plain.to_lowercase().contains("default"),
            "{item}: {value} is not called the default"
        );
    }
}
