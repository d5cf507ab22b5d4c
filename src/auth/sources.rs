//! The sources in their order, with Dovecot's rules for what follows from what each says. **Blocking.**
//!
//! A source that does not know the name, or has another password for it, leaves the question to the next one, and so does
//! one that cannot answer, which makes the verdict [`Verdict::Unavailable`] unless another says yes. The first that says
//! yes decides. All of that a source's rules may change. Once a password was found right, sources that follow are only
//! asked what they say of the user, and what a later one says counts.

use std::hint::black_box;
use std::net::IpAddr;

use super::names::{Named, Names, is_user_name};
use super::passwd_line::{AllowedNet, Entry};
use super::pretence::Pretence;
use super::scram_keys::{Hash, Keys};
use super::source::{Asked, Caller, Means, Source, Tally};
use super::stand_ins;
use super::{AccountFields, Granted, Purpose, Verdict};
use crate::config::{Rule, Rules, Skip};

/// The longest password that is looked at, in octets.
const MAX_PASSWORD: usize = 4096;

/// A source, and its part in the chain.
pub(super) struct Ordered {
    /// Its place in the configuration.
    pub number: usize,
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
    /// Whose password it is about.
    pub who: Option<String>,
    pub verdict: Verdict,
    pub no_delay: bool,
}

impl Default for Outcome {
    /// Nobody has said anything.
    fn default() -> Outcome {
        Outcome {
            who: None,
            verdict: Verdict::Unavailable,
            no_delay: false,
        }
    }
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
    /// Who logs in by that name; `None`: nobody does, and neither from where nor whether one may is of any account.
    login: Option<Caller>,
}

/// Asks a source about somebody who has not proven anything yet.
pub(super) type Ask<'a> = dyn FnMut(&Ordered, &mut Tally) -> Option<Entry> + 'a;

impl Sources {
    /// Who has this password.
    pub fn check(&self, named: Option<&Named>, password: &[u8], caller: Caller) -> Outcome {
        let mut tally = Tally::default();
        let granted = match named {
            Some(named) if password.len() <= MAX_PASSWORD => {
                let asked = Asked {
                    user: &named.user,
                    password,
                    caller,
                };
                let mut ask =
                    |one: &Ordered, tally: &mut Tally| one.source.log_in(asked, &self.means, tally);
                self.log_in(named, caller, &mut tally, &mut ask)
            }
            _ => None,
        };
        if granted.is_none() {
            let turns = self.means.turns(caller.lane);
            for stored in &tally.owed {
                let _ = black_box(turns.hash(|| stored.verify("", password)));
            }
        }
        outcome(named, granted, &tally)
    }

    /// What a client of SCRAM has to prove to be this user. Who is nobody is asked for something, too.
    pub fn challenge(&self, named: Option<&Named>, hash: Hash, caller: Caller) -> Challenge {
        let mut tally = Tally::default();
        let user = named.map_or("", |named| &named.user);
        let salt = self.pretence.salt(hash, user);
        let mut keys = None;
        let mut ask = |one: &Ordered, tally: &mut Tally| {
            let (means, kind) = ((&self.means, caller.lane), (hash, salt.as_slice()));
            let (entry, found) = one.source.scram(user, kind, means, tally)?;
            keys = Some(found);
            Some(entry)
        };
        let granted = named.and_then(|named| self.log_in(named, caller, &mut tally, &mut ask));
        let keys = keys.unwrap_or_else(|| {
            let asked = match named.and_then(|named| named.target.as_ref()) {
                Some(_) => &self.masters,
                None => &self.users,
            };
            let stand_in = |one: &Ordered| one.source.scram_stand_in(user, hash);
            let model = stand_ins::draw(user, asked.iter().filter_map(stand_in).collect());
            let turns = self.means.turns(caller.lane);
            self.pretence.keys(hash, model.as_ref(), user, turns)
        });
        Challenge {
            keys,
            outcome: outcome(named, granted, &tally),
        }
    }

    /// What follows for somebody who is this user for certain, by other means than a password.
    pub fn certified(&self, named: Option<&Named>, caller: Caller) -> Outcome {
        let mut tally = Tally::default();
        let user = named.map_or("", |named| &named.user);
        let mut ask = |one: &Ordered, tally: &mut Tally| {
            one.source.lookup(user, Some(caller), &self.means, tally)
        };
        let granted = named.and_then(|named| self.log_in(named, caller, &mut tally, &mut ask));
        outcome(named, granted, &tally)
    }

    /// What is known of a user, whoever asks. [`Verdict::Denied`]: there is no such user.
    pub fn lookup(&self, user: &str) -> Verdict {
        let mut tally = Tally::default();
        let found = self.names.normal(user);
        let found = found.and_then(|user| self.find(&user, &mut tally));
        found.unwrap_or_else(|| tally.refusal())
    }

    /// The same by a name as the sources know it. They are asked as if the user had logged in.
    pub(super) fn find(&self, user: &str, tally: &mut Tally) -> Option<Verdict> {
        let proven = State {
            proven: true,
            success: false,
        };
        let about = About { user, login: None };
        self.walk(&self.users, about, proven, tally, &mut nobody).0
    }

    pub(super) fn log_in(
        &self,
        named: &Named,
        caller: Caller,
        tally: &mut Tally,
        ask: &mut Ask<'_>,
    ) -> Option<Verdict> {
        let about = About {
            user: &named.user,
            login: Some(caller),
        };
        match &named.target {
            None => {
                self.walk(&self.users, about, State::default(), tally, ask)
                    .0
            }
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
        let (own, ended) = self.walk(&self.masters, master, State::default(), tally, ask);
        let mut verdict = match own {
            // The others are asked about the user, whose password counts as proven.
            _ if ended.proven => {
                let about = About {
                    user: target,
                    ..master
                };
                self.walk(&self.users, about, ended, tally, &mut nobody).0
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

    /// Asks sources, by their rules: a verdict where somebody is let in, or is who they say and may not log in. Masters
    /// are asked until one is proven to be one.
    fn walk(
        &self,
        sources: &[Ordered],
        about: About<'_>,
        mut state: State,
        tally: &mut Tally,
        ask: &mut Ask<'_>,
    ) -> (Option<Verdict>, State) {
        let user = about.user;
        let mut name = user.to_owned();
        let mut all = Entry::default();
        for one in sources {
            let Ordered { source, rules, .. } = one;
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
                true => source.lookup(user, None, &self.means, tally),
                false => ask(one, tally),
            };
            let cannot_say = std::mem::replace(&mut tally.unavailable, before);
            tally.unavailable |= cannot_say;
            let entry = entry.filter(|entry| match about.login {
                Some(caller) => from_allowed(entry, caller.peer),
                None => true,
            });
            let rule = match &entry {
                Some(_) => rules.success,
                None if cannot_say => rules.internal_failure,
                None => rules.failure,
            };
            let is_found = entry.is_some();
            if let Some(entry) = entry {
                // Whoever may not log in does not, whatever the others would say.
                if let (Some(reason), Some(_)) = (&entry.expired, about.login) {
                    return (Some(Verdict::Disabled(reason.clone())), State::default());
                }
                name = source.user_name(user);
                tally.found.push(one.number);
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
            if state.proven && one.master {
                break;
            }
        }
        tally.closed = all.disabled.clone();
        let purpose = about.login.map(|caller| caller.purpose);
        let verdict = state.success.then(|| grant(name, all, purpose));
        (verdict, state)
    }
}

/// Whether a login from `peer` is good for this user.
pub(super) fn from_allowed(entry: &Entry, peer: Option<IpAddr>) -> bool {
    let Some(allowed) = &entry.allowed else {
        return true;
    };
    allowed.iter().any(|net| match (net, peer) {
        (AllowedNet::Local, peer) => peer.is_none(),
        (AllowedNet::Network(network), Some(peer)) => network.contains(peer),
        (AllowedNet::Network(_), None) => false,
    })
}

/// Asks nobody: the password is proven.
fn nobody(_: &Ordered, _: &mut Tally) -> Option<Entry> {
    None
}

fn outcome(named: Option<&Named>, granted: Option<Verdict>, tally: &Tally) -> Outcome {
    Outcome {
        who: named.map(|named| named.user.clone()),
        verdict: granted.unwrap_or_else(|| tally.refusal()),
        no_delay: tally.no_delay,
    }
}

/// Lets a user in, for a purpose where there is one.
fn grant(user: String, entry: Entry, purpose: Option<Purpose>) -> Verdict {
    // Who may have no session may send mail all the same, as with Dovecot, and gets it.
    let no_session = entry.disabled.filter(|_| purpose == Some(Purpose::Session));
    if let Some(reason) = no_session {
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
