//! Questions that others answer, in their own time: whether a password is right, and what is known of a user.
//! **Blocking.**

use std::io;
use std::time::Instant;

use zeroize::Zeroizing;

use super::Purpose;
use super::lanes::Lane;
use super::passwd_line::{self, Entry};
use super::source::{Asked, Caller, Means, Outside, Proof, Question, Tally};

/// Has a password checked elsewhere, or remembers that it was, and what was said of the user. What was remembered is not
/// known to have changed until it is forgotten; and it was said of this address and purpose alone.
pub(super) fn prove(
    outside: &dyn Outside,
    number: usize,
    asked: Asked<'_>,
    means: &Means,
    tally: &mut Tally,
) -> Option<Entry> {
    let Asked {
        user,
        password,
        caller: Caller {
            peer,
            purpose,
            lane,
        },
    } = asked;
    let service = match purpose {
        Purpose::Session => "session",
        Purpose::Submission { .. } => "submission",
    };
    let (place, now) = (
        format!("source {number} {service} {peer:?}"),
        Instant::now(),
    );
    if let Some(known) = means.verified.find(user, &place, password, now) {
        return Some(known);
    }
    let question = Question {
        user: user.to_owned(),
        password: Some(Zeroizing::new(password.to_vec())),
        peer,
        purpose,
    };
    let proof = means.turns(lane).prove(|| outside.prove(number, question));
    let entry = answered(user, proof, tally)?;
    if entry.expired.is_none() {
        let seen = (user, place.as_str(), password);
        means.verified.insert(seen, entry.clone(), now);
    }
    Some(entry)
}

/// Has another say what is known of a user, who logs in by other means than a password where `login` says so.
pub(super) fn know(
    outside: &dyn Outside,
    number: usize,
    (user, login): (&str, Option<Caller>),
    (means, lane): (&Means, Lane),
    tally: &mut Tally,
) -> Option<Entry> {
    let question = Question {
        user: user.to_owned(),
        password: None,
        peer: login.and_then(|caller| caller.peer),
        purpose: login.map_or(Purpose::Session, |caller| caller.purpose),
    };
    let proof = means.turns(lane).prove(|| outside.prove(number, question));
    answered(user, proof, tally)
}

/// What another has said of a user; nothing, or nobody can say, which is counted.
fn answered(user: &str, proof: io::Result<Proof>, tally: &mut Tally) -> Option<Entry> {
    let why = match proof {
        Ok(Proof::Right) => return Some(Entry::default()),
        Ok(Proof::Known(fields)) => match passwd_line::of_fields(user, &fields) {
            Ok(entry) => return entry,
            Err(why) => why,
        },
        Ok(Proof::Wrong) => return None,
        Ok(Proof::Disabled(reason)) => {
            return Some(Entry {
                expired: Some(reason),
                ..Entry::default()
            });
        }
        Ok(Proof::Unavailable(why)) => why,
        Err(error) => error.to_string(),
    };
    tracing::error!("user {user}: the password cannot be checked: {why}");
    tally.unavailable = true;
    None
}
