//! The sources in their order, with Dovecot's rules for what follows from what each says. **Blocking.**
//!
//! A source that does not know the name, or has another password for it, leaves the question to the next one, and so does
//! one that cannot answer, which makes the verdict [`Verdict::Unavailable`] unless another says yes. The first that says
//! yes decides. All of that a source's rules may change. Once a password was found right, sources that follow are only
//! asked what they say of the user, and what a later one says counts.

use std::hint::black_box;
use std::net::IpAddr;

use super::hash::{DUMMY, Scheme, Stored};
use super::lanes::Lane;
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
    /// Why it is no, where nothing was wrong with what the client gave.
    pub why: Option<String>,
    /// A source could not answer.
    pub cannot_say: bool,
    pub no_delay: bool,
}

impl Outcome {
    /// Nobody need be asked to say no.
    pub fn denied() -> Outcome {
        Outcome {
            verdict: Verdict::Denied,
            cannot_say: false,
            ..Outcome::default()
        }
    }

    /// What follows if nothing is proven.
    pub fn refused(self) -> Outcome {
        let verdict = match self.cannot_say {
            true => Verdict::Unavailable,
            false => Verdict::Denied,
        };
        Outcome {
            verdict,
            why: None,
            ..self
        }
    }
}

impl Default for Outcome {
    /// Nobody has said anything.
    fn default() -> Outcome {
        Outcome {
            who: None,
            verdict: Verdict::Unavailable,
            why: None,
            cannot_say: true,
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
    /// The password is known to be right, or another source has said that this does not matter.
    proven: bool,
    /// Some source knows the user.
    known: bool,
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

/// Asks a source about somebody of this name who has not proven anything yet.
pub(super) type Ask<'a> = dyn FnMut(&Ordered, &str, &mut Tally) -> Option<Entry> + 'a;

impl Sources {
    /// Who has this password.
    pub fn check(&self, named: Option<&Named>, password: &[u8], caller: Caller) -> Outcome {
        let mut tally = Tally::default();
        let granted = match named {
            Some(named) if password.len() <= MAX_PASSWORD => {
                let mut ask = |one: &Ordered, user: &str, tally: &mut Tally| {
                    let asked = Asked {
                        user,
                        password,
                        caller,
                    };
                    one.source.log_in(asked, &self.means, tally)
                };
                self.log_in(named, caller, &mut tally, &mut ask)
            }
            _ => None,
        };
        if granted.is_none() {
            let turns = self.means.turns(caller.lane);
            for stored in &tally.owed {
                let tried = black_box(turns.hash(|| stored.verify("", password)));
                // One that no password fits stands for nobody.
                if let (Err(_), Ok(dummy)) = (tried, Stored::parse(DUMMY, Scheme::Crypt)) {
                    let _ = black_box(turns.hash(|| dummy.verify("", password)));
                }
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
        let mut last = None;
        let means = (&self.means, caller.lane);
        let mut ask = |one: &Ordered, user: &str, tally: &mut Tally| {
            last = Some(one.number);
            let (entry, found) = one.source.scram(user, (hash, &salt), means, tally)?;
            keys = Some(found);
            Some(entry)
        };
        let granted = named.and_then(|named| self.log_in(named, caller, &mut tally, &mut ask));
        let asked = match named.and_then(|named| named.target.as_ref()) {
            Some(_) => &self.masters,
            None => &self.users,
        };
        if granted.is_some() {
            // With a wrong password those that follow would have been asked, and perhaps could not have answered.
            for one in asked.iter().filter(|one| Some(one.number) > last) {
                one.source.may_know(user, means, &mut tally);
            }
        }
        let keys = keys.unwrap_or_else(|| {
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
        let means = (&self.means, caller.lane);
        let mut ask = |one: &Ordered, user: &str, tally: &mut Tally| {
            one.source.lookup(user, Some(caller), means, tally)
        };
        let granted = named.and_then(|named| self.log_in(named, caller, &mut tally, &mut ask));
        outcome(named, granted, &tally)
    }

    /// What is known of a user, whoever asks. [`Verdict::Denied`]: there is no such user.
    pub fn lookup(&self, user: &str) -> Verdict {
        let mut tally = Tally::default();
        let found = self.names.normal(user);
        let found = found.and_then(|user| self.find(&user, Lane::Lookups, &mut tally));
        found.unwrap_or_else(|| tally.refusal())
    }

    /// The same by a name as the sources know it. They are asked as if the user had logged in.
    pub(super) fn find(&self, user: &str, lane: Lane, tally: &mut Tally) -> Option<Verdict> {
        let mut ask = |one: &Ordered, user: &str, tally: &mut Tally| {
            one.source.lookup(user, None, (&self.means, lane), tally)
        };
        let about = About { user, login: None };
        self.walk(&self.users, about, State::default(), tally, &mut ask)
            .0
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
                let (verdict, ended) = self.walk(&self.users, about, State::default(), tally, ask);
                ended.tell(tally);
                verdict
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
        let lane = master.login.map_or(Lane::Lookups, |caller| caller.lane);
        let mut verdict = match own {
            // Nobody is a master whom no source has found to be one, whatever the rules say.
            _ if !ended.known => None,
            // The others are asked about the user, whose password counts as proven.
            _ if ended.proven => {
                let purpose = master.login.map(|caller| caller.purpose);
                let closed = tally.closed.take();
                if let Some(reason) = closed.filter(|_| purpose == Some(Purpose::Session)) {
                    return Some(Verdict::Disabled(reason));
                }
                let about = About {
                    user: target,
                    ..master
                };
                let begun = State {
                    known: false,
                    ..ended
                };
                let (verdict, ended) = self.walk(&self.users, about, begun, tally, &mut nobody);
                ended.tell(tally);
                if !ended.known {
                    tally.hold_against(NO_TARGET);
                }
                verdict.filter(|_| ended.known)
            }
            Some(Verdict::Granted(_)) => {
                let found = self.find(target, lane, tally);
                if found.is_none() {
                    tally.hold_against(NO_TARGET);
                }
                found
            }
            other => {
                ended.tell(tally);
                other
            }
        }?;
        if let Verdict::Granted(granted) = &mut verdict {
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
        let means = (
            &self.means,
            about.login.map_or(Lane::Lookups, |caller| caller.lane),
        );
        let mut name = about.user.to_owned();
        let mut all = Entry::default();
        let mut closed = Closed::default();
        for one in sources {
            let Ordered { source, rules, .. } = one;
            let is_skipped = match rules.skip {
                Skip::Never => false,
                Skip::Authenticated => state.proven,
                Skip::Unauthenticated => !state.proven,
            };
            if is_skipped {
                continue;
            }
            let before = std::mem::take(&mut tally.unavailable);
            let entry = match state.proven {
                true => source.lookup(&name, None, means, tally),
                false => ask(one, &name, tally),
            };
            let cannot_say = std::mem::replace(&mut tally.unavailable, before);
            tally.unavailable |= cannot_say;
            let entry = entry.filter(|entry| {
                let login = about.login;
                let is_allowed = login.is_none_or(|caller| from_allowed(entry, caller.peer));
                if !is_allowed {
                    tally.hold_against("the address is not in allow_nets");
                }
                is_allowed
            });
            let mut rule = match &entry {
                Some(_) => rules.success,
                None if cannot_say => rules.internal_failure,
                None => rules.failure,
            };
            let is_found = entry.is_some();
            if let Some(mut entry) = entry {
                match (&entry.expired, about.login) {
                    // Whoever may not log in does not, whatever the others would say.
                    (Some(reason), Some(_)) => {
                        let verdict = Verdict::Disabled(reason.clone());
                        let ended = State {
                            known: true,
                            ..State::default()
                        };
                        return (Some(verdict), ended);
                    }
                    (_, None) => match closed.note(rule, &entry) {
                        Some(instead) => rule = instead,
                        None => continue,
                    },
                    (None, Some(_)) => {}
                }
                name = match entry.renamed.take() {
                    Some(renamed) if is_user_name(&renamed) => renamed,
                    Some(renamed) => {
                        tracing::error!("user {name}: {renamed:?} is no user name");
                        return (Some(Verdict::Unavailable), State::default());
                    }
                    None => source.user_name(&name),
                };
                tally.found.push(one.number);
                tally.is_near |= entry.allowed.is_some();
                state.known = true;
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
        tally.closed = closed.why(all.disabled.as_deref());
        let purpose = about.login.map(|caller| caller.purpose);
        let verdict = state.success.then(|| grant(name, all, purpose));
        (verdict, state)
    }
}

impl State {
    /// Says so where a rule is all that keeps somebody out.
    fn tell(self, tally: &mut Tally) {
        if self.known && !self.success {
            tally.hold_against(KEPT_OUT);
        }
    }
}

/// Why a master user, whose password is right, is not let in as another.
const NO_TARGET: &str = "there is no such user to log in as";

/// What is said of a user whom a rule keeps out.
const KEPT_OUT: &str = "a source's result-success says so";

/// Why somebody would not be let in who is only looked for, and gets mail all the same.
#[derive(Default)]
struct Closed {
    expired: Option<String>,
    /// A rule keeps the user out.
    is_kept_out: bool,
    /// Whatever the rules of sources that follow.
    is_final: bool,
}

impl Closed {
    /// What a source says of the user, and the rule that follows; the rule that is followed instead. `None`: the source is
    /// passed over, for a list of names that are kept out does not say who is there.
    fn note(&mut self, rule: Rule, entry: &Entry) -> Option<Rule> {
        let expired = self.expired.take();
        self.expired = expired.or_else(|| entry.expired.clone());
        let instead = match rule {
            Rule::ReturnFail => Rule::ReturnOk,
            Rule::ContinueFail => Rule::ContinueOk,
            Rule::ReturnOk | Rule::ContinueOk => {
                self.is_kept_out = self.is_final;
                return Some(rule);
            }
            Rule::Return | Rule::Continue => return Some(rule),
        };
        self.is_kept_out = true;
        self.is_final |= rule == Rule::ReturnFail;
        (!entry.is_name_alone()).then_some(instead)
    }

    fn why(self, disabled: Option<&str>) -> Option<String> {
        let disabled = || disabled.map(str::to_owned);
        let kept_out = || self.is_kept_out.then(|| KEPT_OUT.to_owned());
        self.expired.or_else(disabled).or_else(kept_out)
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
fn nobody(_: &Ordered, _: &str, _: &mut Tally) -> Option<Entry> {
    None
}

fn outcome(named: Option<&Named>, granted: Option<Verdict>, tally: &Tally) -> Outcome {
    Outcome {
        who: named.map(|named| named.user.clone()),
        why: tally.against.clone().filter(|_| granted.is_none()),
        verdict: granted.unwrap_or_else(|| tally.refusal()),
        cannot_say: tally.unavailable,
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
    let account: AccountFields = entry.account;
    Verdict::Granted(Granted {
        user,
        master: None,
        account,
    })
}
