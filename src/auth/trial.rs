//! What each source answers, for those who set a server up. Who asks this sees more than any client may.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::lanes::Lane;
use super::passwd_line::Entry;
use super::source::{Asked, Caller, Tally};
use super::sources::{Ordered, Sources, from_allowed};
use super::{Authenticator, Purpose, Secret, Verdict};

/// What a source says to a name and a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is this user's.
    Right,
    /// It is, but the user may not log in, for this reason.
    Closed(String),
    /// It is not this user's.
    Wrong,
    /// There is no such user.
    Unknown,
    /// The one or the other.
    No,
    /// It cannot say.
    Unavailable,
}

/// What became of a password.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// What a login would have been told; `None`: there is no answer.
    pub verdict: Option<Verdict>,
    /// What each source says, by its place in the configuration; those that would not be asked by this name are not there.
    pub answers: BTreeMap<usize, Answer>,
}

/// What is known of a user.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who it is. A user who may not log in is granted here all the same. `None`: there is no answer.
    pub verdict: Option<Verdict>,
    /// Who knows it, by place in the configuration.
    pub sources: Vec<usize>,
    /// Why the user may have no session, where that is so.
    pub closed: Option<String>,
    /// The user may log in from some addresses only.
    pub is_near: bool,
}

impl Authenticator {
    /// Tries a password in every source that knows such names, also where an earlier one has decided. Nothing is held back
    /// or counted.
    pub async fn try_everywhere(
        &self,
        user: Vec<u8>,
        password: Secret,
        peer: Option<IpAddr>,
    ) -> Trial {
        let tried = self.inquire(move |sources| sources.try_everywhere(&user, &password, peer));
        tried.await.unwrap_or_default()
    }

    /// What is known of a user, and who knows it.
    pub async fn look_up(&self, user: String) -> Known {
        let known = self.inquire(move |sources| sources.known(&user));
        known.await.unwrap_or_default()
    }
}

impl Sources {
    fn try_everywhere(&self, user: &[u8], password: &Secret, peer: Option<IpAddr>) -> Trial {
        let Some(named) = self.names.named(user, None) else {
            return Trial {
                verdict: Some(Verdict::Denied),
                answers: BTreeMap::new(),
            };
        };
        let asked = Asked {
            user: &named.user,
            password: password.expose(),
            caller: Caller {
                peer,
                purpose: Purpose::Session,
                lane: Lane::Known,
            },
        };
        let mut answers = BTreeMap::new();
        let mut tally = Tally::default();
        let mut ask = |one: &Ordered, user: &str, tally: &mut Tally| {
            let (answer, entry) = self.answer(one, Asked { user, ..asked }, tally);
            answers.insert(one.number, answer);
            entry
        };
        let verdict = self.log_in(&named, asked.caller, &mut tally, &mut ask);
        let all = match named.target {
            Some(_) => &self.masters,
            None => &self.users,
        };
        for one in all {
            answers
                .entry(one.number)
                .or_insert_with(|| self.answer(one, asked, &mut Tally::default()).0);
        }
        Trial {
            verdict: Some(verdict.unwrap_or_else(|| tally.refusal())),
            answers,
        }
    }

    fn answer(
        &self,
        one: &Ordered,
        asked: Asked<'_>,
        tally: &mut Tally,
    ) -> (Answer, Option<Entry>) {
        let mut own = Tally::default();
        let entry = one.source.log_in(asked, &self.means, &mut own);
        let answer = match &entry {
            Some(entry) => match (&entry.expired, &entry.disabled) {
                (Some(why), _) => Answer::Closed(why.clone()),
                _ if !from_allowed(entry, asked.caller.peer) => {
                    Answer::Closed("not from this address".to_owned())
                }
                (_, Some(why)) => Answer::Closed(why.clone()),
                _ => Answer::Right,
            },
            None if own.unavailable => Answer::Unavailable,
            None => match one.source.knows(asked.user, (&self.means, Lane::Lookups)) {
                Some(true) => Answer::Wrong,
                Some(false) => Answer::Unknown,
                None => Answer::No,
            },
        };
        tally.unavailable |= own.unavailable;
        (answer, entry)
    }

    fn known(&self, user: &str) -> Known {
        let mut tally = Tally::default();
        let found = self.names.normal(user);
        let found = found.and_then(|user| self.find(&user, Lane::Lookups, &mut tally));
        Known {
            verdict: Some(found.unwrap_or_else(|| tally.refusal())),
            sources: tally.found,
            closed: tally.closed,
            is_near: tally.is_near,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::auth::{Outside, Proof, Question};
    use crate::config::Config;

    struct Here;

    impl Outside for Here {
        fn open(&self, _: usize, _: &str, path: &Path) -> io::Result<File> {
            File::open(path)
        }

        fn prove(&self, _: usize, question: Question) -> io::Result<Proof> {
            let password = question.password.map(|password| password.to_vec());
            Ok(match password.as_deref() {
                Some(b"p") => Proof::Disabled("Gone".to_owned()),
                Some(b"?") => Proof::Unavailable("no".to_owned()),
                _ => Proof::Wrong,
            })
        }
    }

    #[tokio::test]
    async fn every_source_is_asked_once_whoever_decides() {
        let home = tempfile::tempdir().unwrap();
        let mut text = "[auth]\nmaster-separator = \"*\"\n".to_owned();
        for (file, lines, more) in [
            (
                "one",
                "ann:{PLAIN}p\nnear:{PLAIN}p::::::allow_nets=192.0.2.1",
                "",
            ),
            (
                "two",
                "ann:{PLAIN}q\nout:{PLAIN}p::::::nologin reason=Out",
                "",
            ),
            ("masters", "root:{PLAIN}m", "master = true"),
        ] {
            let path = home.path().join(file);
            fs::write(&path, lines).unwrap();
            let path = path.display().to_string();
            text += &format!("[[auth.source]]\nkind = \"passwd-file\"\npath = {path:?}\n{more}\n");
        }
        text += "[[auth.source]]\nkind = \"exec\"\ncommand = [\"x\"]\n\
            [[auth.source]]\nkind = \"passwd-file\"\npath = \"/nonexistent\"\n";
        let here: Arc<dyn Outside> = Arc::new(Here);
        let auth = Authenticator::new(&Config::parse(&text).unwrap().auth, 0, &here);
        let gone = || Answer::Closed("Gone".to_owned());
        use Answer::{Closed, No, Right, Unavailable, Unknown, Wrong};
        for (user, password, answers, good) in [
            ("Ann", "p", vec![Right, Wrong, gone(), Unavailable], true),
            ("ann", "q", vec![Wrong, Right, No, Unavailable], true),
            ("ann", "x", vec![Wrong, Wrong, No, Unavailable], false),
            (
                "ann",
                "?",
                vec![Wrong, Wrong, Unavailable, Unavailable],
                false,
            ),
            ("bob", "x", vec![Unknown, Unknown, No, Unavailable], false),
            (
                "near",
                "p",
                vec![
                    Closed("not from this address".to_owned()),
                    Unknown,
                    gone(),
                    Unavailable,
                ],
                false,
            ),
            (
                "out",
                "p",
                vec![Unknown, Closed("Out".to_owned()), gone(), Unavailable],
                false,
            ),
            ("ann*root", "m", vec![Right], true),
            ("ann*root", "x", vec![Wrong], false),
            ("../x", "x", vec![], false),
        ] {
            let secret = Secret::new(password.as_bytes().to_vec());
            let trial = auth.try_everywhere(user.as_bytes().to_vec(), secret, None);
            let trial = trial.await;
            let said: Vec<_> = trial.answers.values().cloned().collect();
            assert_eq!(said, answers, "{user} {password}");
            let granted = matches!(trial.verdict, Some(Verdict::Granted(_)));
            assert_eq!(granted, good, "{user} {password}: {:?}", trial.verdict);
        }
        let out = auth.look_up("out".to_owned()).await;
        assert_eq!(out.sources, [1]);
        assert_eq!(out.closed.as_deref(), Some("Out"));
        assert!(matches!(out.verdict, Some(Verdict::Granted(_))));
        let bob = auth.look_up("bob".to_owned()).await;
        assert_eq!(bob.verdict, Some(Verdict::Unavailable));
    }
}
