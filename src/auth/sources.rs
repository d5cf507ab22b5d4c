//! The sources in their order, with Dovecot's rules for what follows from what each says. **Blocking.**
//!
//! A source that does not know the name, or has another password for it, leaves the question to the next one, and so does
//! one that cannot answer, which makes the verdict [`Verdict::Unavailable`] unless another says yes. The first that says
//! yes decides. All of that a source's rules may change. Once a password was found right, sources that follow are only
//! asked what they say of the user, and what a later one says counts.

use std::net::IpAddr;

use super::hash::{DUMMY, Scheme, Stored};
use super::names::{Named, Names, is_user_name};
use super::passwd_line::{AllowedNet, Entry};
use super::pretence::Pretence;
use super::scram_keys::{Hash, Keys};
use super::source::{Asked, Means, Source, Tally};
use super::{AccountFields, Granted, Purpose, Verdict};
use crate::config::{Rule, Rules, Skip};

/// The longest password that is looked at, in octets.
const MAX_PASSWORD: usize = 4096;

/// A source, and its part in the chain.
pub(super) struct Ordered {
    pub source: Source,
    pub rules: Rules,
    /// It knows those who log in as others.
    pub master: bool,
}

/// All that can be asked.
pub(super) struct Sources {
    pub names: Names,
    pub users: Vec<Ordered>,
    pub masters: Vec<Ordered>,
    pub means: Means,
    pub pretence: Pretence,
}

/// What the sources say, and whether a refusal is held back.
pub(super) struct Outcome {
    pub verdict: Verdict,
    pub no_delay: bool,
}

/// What a client of SCRAM has to prove, and what follows if it does.
pub(super) struct Challenge {
    pub keys: Keys,
    pub outcome: Outcome,
}

/// Where asking has come to.
#[derive(Clone, Copy, Default)]
struct State {
    /// The password is known to be right.
    proven: bool,
    /// Some source has let the user in, and none after it has said otherwise.
    success: bool,
}

/// Who is asked about.
#[derive(Clone, Copy)]
struct About<'a> {
    user: &'a str,
    peer: Option<IpAddr>,
    purpose: Purpose,
}

/// Asks a source about somebody who has not proven anything yet.
type Ask<'a> = dyn FnMut(&Source, &mut Tally) -> Option<Entry> + 'a;

impl Sources {
    /// Who has this password.
    pub fn check(
        &self,
        named: Option<&Named>,
        password: &[u8],
        (peer, purpose): (Option<IpAddr>, Purpose),
    ) -> Outcome {
        let mut tally = Tally::default();
        let granted = match named {
            Some(named) if password.len() <= MAX_PASSWORD => {
                let asked = Asked {
                    user: &named.user,
                    password,
                    peer,
                    purpose,
                };
                let mut ask =
                    |source: &Source, tally: &mut Tally| source.log_in(asked, &self.means, tally);
                self.log_in(named, (peer, purpose), &mut tally, &mut ask)
            }
            _ => None,
        };
        let verdict = granted.unwrap_or_else(|| {
            if !tally.hashed {
                self.hash_in_vain(password);
            }
            tally.refusal()
        });
        Outcome {
            verdict,
            no_delay: tally.no_delay,
        }
    }

    /// What a client of SCRAM has to prove to be this user. Who is nobody is asked for something, too.
    pub fn challenge(
        &self,
        named: Option<&Named>,
        hash: Hash,
        line: (Option<IpAddr>, Purpose),
    ) -> Challenge {
        let mut tally = Tally::default();
        let user = named.map_or("", |named| &named.user);
        let salt = self.pretence.salt(user);
        let mut keys = None;
        let mut ask = |source: &Source, tally: &mut Tally| {
            let (entry, found) = source.scram(user, hash, &salt, &self.means, tally)?;
            keys = Some(found);
            Some(entry)
        };
        let granted = named.and_then(|named| self.log_in(named, line, &mut tally, &mut ask));
        let keys = keys.unwrap_or_else(|| {
            let mut sources = self.users.iter();
            let known = sources.find_map(|one| one.source.any_password());
            let known = known.and_then(|known| Stored::parse(&known, Scheme::Crypt).ok());
            self.pretence.keys(hash, known.as_ref(), user, &self.means)
        });
        Challenge {
            keys,
            outcome: Outcome {
                verdict: granted.unwrap_or_else(|| tally.refusal()),
                no_delay: tally.no_delay,
            },
        }
    }

    /// What follows for somebody who is this user for certain, by other means than a password.
    pub fn certified(&self, named: Option<&Named>, line: (Option<IpAddr>, Purpose)) -> Outcome {
        let mut tally = Tally::default();
        let user = named.map_or("", |named| &named.user);
        let mut ask = |source: &Source, tally: &mut Tally| source.lookup(user, tally);
        let granted = named.and_then(|named| self.log_in(named, line, &mut tally, &mut ask));
        Outcome {
            verdict: granted.unwrap_or_else(|| tally.refusal()),
            no_delay: tally.no_delay,
        }
    }

    /// What is known of a user, whoever asks. `None`: there is no such user.
    pub fn lookup(&self, user: &str) -> Verdict {
        let mut tally = Tally::default();
        match self.names.normal(user) {
            Some(user) => self
                .find(&user, &mut tally)
                .unwrap_or_else(|| tally.refusal()),
            None => Verdict::Denied,
        }
    }

    fn find(&self, user: &str, tally: &mut Tally) -> Option<Verdict> {
        self.users.iter().find_map(|one| {
            let entry = one.source.lookup(user, tally)?;
            let entry = Entry {
                expired: None,
                disabled: None,
                ..entry
            };
            Some(grant(one.source.user_name(user), entry, Purpose::Session))
        })
    }

    fn log_in(
        &self,
        named: &Named,
        (peer, purpose): (Option<IpAddr>, Purpose),
        tally: &mut Tally,
        ask: &mut Ask<'_>,
    ) -> Option<Verdict> {
        let about = About {
            user: &named.user,
            peer,
            purpose,
        };
        match &named.target {
            None => walk(&self.users, about, State::default(), tally, ask).0,
            Some(target) => self.log_in_as(about, target, tally, ask),
        }
    }

    /// A master user's login as `target`, who must exist. Where the masters' source lets the others be asked, it is as if the
    /// user had logged in with the right password.
    fn log_in_as(
        &self,
        master: About<'_>,
        target: &str,
        tally: &mut Tally,
        ask: &mut Ask<'_>,
    ) -> Option<Verdict> {
        let (own, ended) = walk(&self.masters, master, State::default(), tally, ask);
        let mut verdict = match own {
            // The others are asked about the user, whose password counts as proven.
            _ if ended.proven => {
                let mut nobody = |_: &Source, _: &mut Tally| None;
                let about = About {
                    user: target,
                    ..master
                };
                walk(&self.users, about, ended, tally, &mut nobody).0
            }
            Some(Verdict::Granted(_)) => self.find(target, tally),
            other => other,
        }?;
        if let Verdict::Granted(granted) = &mut verdict {
            tracing::info!("master user {} logs in as {target}", master.user);
            granted.master = Some(master.user.to_owned());
        }
        Some(verdict)
    }

    /// Takes the time that a wrong password takes.
    fn hash_in_vain(&self, password: &[u8]) {
        let known = self.users.iter().find_map(|one| one.source.any_password());
        let single = matches!(
            self.users[..],
            [Ordered {
                source: Source::Single { .. },
                ..
            }]
        );
        if single || password.len() > MAX_PASSWORD {
            return;
        }
        let stored = known
            .and_then(|known| Stored::parse(&known, Scheme::Crypt).ok())
            .or_else(|| Stored::parse(DUMMY, Scheme::Crypt).ok());
        if let Some(stored) = stored {
            let verify = || stored.verify("", password);
            let _ = std::hint::black_box(self.means.hash(verify));
        }
    }
}

/// Asks the sources, by their rules: a verdict where somebody is let in, or is who they say and may not log in. Masters
/// are asked until one is proven to be one.
fn walk(
    sources: &[Ordered],
    about: About<'_>,
    mut state: State,
    tally: &mut Tally,
    ask: &mut Ask<'_>,
) -> (Option<Verdict>, State) {
    let user = about.user;
    let mut name = user.to_owned();
    let mut all = Entry::default();
    for Ordered {
        source,
        rules,
        master,
    } in sources
    {
        let is_skipped = match rules.skip {
            Skip::Never => false,
            Skip::Authenticated => state.success,
            Skip::Unauthenticated => !state.success,
        };
        if is_skipped {
            continue;
        }
        let before = std::mem::take(&mut tally.unavailable);
        let entry = match state.proven {
            true => source.lookup(user, tally),
            false => ask(source, tally),
        };
        let cannot_say = std::mem::replace(&mut tally.unavailable, before);
        tally.unavailable |= cannot_say;
        let entry = entry.filter(|entry| from_allowed(entry, about.peer));
        let rule = match &entry {
            Some(_) => rules.success,
            None if cannot_say => rules.internal_failure,
            None => rules.failure,
        };
        let is_found = entry.is_some();
        if let Some(entry) = entry {
            // Whoever may not log in does not, whatever the others would say.
            if let Some(reason) = entry.expired {
                return (Some(Verdict::Disabled(reason)), State::default());
            }
            name = source.user_name(user);
            all.add(entry);
        }
        match rule {
            Rule::ReturnOk | Rule::ContinueOk => state.success = true,
            Rule::ReturnFail | Rule::ContinueFail => state.success = false,
            Rule::Return | Rule::Continue => {}
        }
        match rule {
            Rule::ReturnOk | Rule::Return | Rule::ReturnFail => break,
            Rule::ContinueOk => state.proven = true,
            Rule::Continue => state.proven |= is_found,
            Rule::ContinueFail => {}
        }
        if state.proven && *master {
            break;
        }
    }
    let verdict = state.success.then(|| grant(name, all, about.purpose));
    (verdict, state)
}

/// Whether a login from `peer` is good for this user.
fn from_allowed(entry: &Entry, peer: Option<IpAddr>) -> bool {
    let Some(allowed) = &entry.allowed else {
        return true;
    };
    allowed.iter().any(|net| match (net, peer) {
        (AllowedNet::Local, peer) => peer.is_none(),
        (AllowedNet::Network(network), Some(peer)) => network.contains(peer),
        (AllowedNet::Network(_), None) => false,
    })
}

fn grant(user: String, entry: Entry, purpose: Purpose) -> Verdict {
    // Who may have no session may send mail all the same, as with Dovecot.
    let no_session = entry.disabled.filter(|_| purpose == Purpose::Session);
    if let Some(reason) = entry.expired.or(no_session) {
        return Verdict::Disabled(reason);
    }
    let user = match entry.renamed {
        Some(name) if is_user_name(&name) => name,
        Some(name) => {
            tracing::error!("user {user}: {name:?} is no user name");
            return Verdict::Unavailable;
        }
        None => user,
    };
    let account: AccountFields = entry.account;
    Verdict::Granted(Granted {
        user,
        master: None,
        account,
    })
}
