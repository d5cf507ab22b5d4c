//! Dovecot's auth-client protocol, version 1: what Postfix (`smtpd_sasl_type = dovecot`) and Exim's `dovecot`
//! authenticator ask by.
//!
//! Lines of fields parted by TAB. The server says at once what it offers, for Exim waits for that before it says
//! anything. Then each request has a number that the client has chosen, and many may be under way: one that waits
//! holds up no other. What breaks the protocol ends the connection, as with Dovecot.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::rand::{GetRandomFlags, getrandom};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::attempt::{Purpose, Tls};
use super::{Attempt, Authenticator, Line, Mechanism, Secret, Step, Verdict, sasl};

/// The longest line of a client, in octets.
const LINE_MAX: usize = 16 << 10;

/// Requests that may be under way on one connection, those too that were given up and have not ended yet.
const REQUESTS_MAX: usize = 1000;

/// How long a client may take to answer a challenge.
const ANSWER_LIMIT: Duration = Duration::from_secs(150);

/// How long a client may take to hear a line.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// Lines that may wait to be heard.
const WAITING: usize = 64;

/// A request's number.
type Id = u32;

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
enum Request {
    /// `VERSION`, of the one major version there is.
    Version,
    /// `CPID`: the client's process.
    Process,
    /// `AUTH`.
    Auth(Begin),
    /// `CONT`: the next response, in base64.
    Continue(Id, Zeroizing<Vec<u8>>),
    /// `CANCEL`.
    Cancel(Id),
}

/// A login that begins.
#[derive(Debug, PartialEq, Eq)]
struct Begin {
    id: Id,
    mechanism: Vec<u8>,
    peer: String,
    tls: Tls,
    penalty: bool,
    /// What SCRAM says at last may come with the OK.
    final_in_ok: bool,
    /// In base64; `None`: the client waits for a challenge.
    response: Option<Zeroizing<Vec<u8>>>,
}

/// A request that is under way. Dropping it gives it up.
struct UnderWay {
    responses: mpsc::Sender<Secret>,
    task: AbortHandle,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves an MTA until it hangs up, or says what is not in the protocol. `number` tells connections apart.
///
/// # Errors
///
/// `InvalidData` with what is not in the protocol, and what the socket says.
pub async fn serve<S>(
    stream: S,
    auth: Arc<Authenticator>,
    mechanisms: &[Mechanism],
    number: u64,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (input, mut output) = tokio::io::split(stream);
    output
        .write_all(greeting(mechanisms, number)?.as_bytes())
        .await?;
    let (lines, mut said) = mpsc::channel::<String>(WAITING);
    let writing = async move {
        while let Some(line) = said.recv().await {
            timeout(WRITE_LIMIT, output.write_all(line.as_bytes())).await??;
        }
        Ok(())
    };
    tokio::select! {
        written = writing => written,
        heard = hear(BufReader::new(input), auth, mechanisms, lines) => heard,
    }
}

/// Why a connection is ended whose client does not keep to the protocol. What the client said is not told: it may hold a
/// password.
pub(super) fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What is offered, and who is speaking.
fn greeting(mechanisms: &[Mechanism], number: u64) -> io::Result<String> {
    let mut cookie = [0u8; 16];
    getrandom(&mut cookie, GetRandomFlags::empty())?;
    let mut text = "VERSION\t1\t2\n".to_owned();
    for mechanism in offered(mechanisms) {
        let name = mechanism.name();
        let kind = match mechanism.is_plaintext() {
            true => "plaintext",
            false => "mutual-auth",
        };
        // Writing into a text cannot fail.
        let _ = writeln!(text, "MECH\t{name}\t{kind}");
    }
    let _ = writeln!(text, "SPID\t{}\nCUID\t{number}", std::process::id());
    let _ = writeln!(text, "COOKIE\t{:032x}\nDONE", u128::from_be_bytes(cookie));
    Ok(text)
}

/// What can be offered: an MTA does not tell what its own TLS connections are bound by, nor the certificates that its
/// clients have shown.
fn offered(mechanisms: &[Mechanism]) -> impl Iterator<Item = &Mechanism> {
    let all = mechanisms.iter();
    all.filter(|one| !one.is_bound() && **one != Mechanism::External)
}

async fn hear<R: AsyncRead + Unpin>(
    mut input: BufReader<R>,
    auth: Arc<Authenticator>,
    mechanisms: &[Mechanism],
    lines: mpsc::Sender<String>,
) -> io::Result<()> {
    let mut under_way: HashMap<Id, UnderWay> = HashMap::new();
    // Dropped at the end, and with them all that nobody waits for any more.
    let mut tasks = JoinSet::new();
    let mut line = Zeroizing::new(Vec::new());
    let most = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
    loop {
        // What has come of a line stays in it while something else is done.
        let left = most.saturating_sub(u64::try_from(line.len()).unwrap_or(most));
        let mut limited = (&mut input).take(left);
        tokio::select! {
            biased;
            Some(ended) = tasks.join_next_with_id() => {
                // The number may be another's by now.
                if let Ok((task, id)) = ended
                    && under_way.get(&id).is_some_and(|one| one.task.id() == task)
                {
                    under_way.remove(&id);
                }
                continue;
            }
            read = limited.read_until(b'\n', &mut line) => read?,
        };
        if line.pop_if(|last| *last == b'\n').is_none() {
            return match line.len() < LINE_MAX {
                true => Ok(()),
                false => Err(broken("a line is too long")),
            };
        }
        let request = parse(&line);
        line.clear();
        match request {
            Some(Request::Version | Request::Process) => {}
            Some(Request::Auth(begin)) => {
                let known = Mechanism::named(&String::from_utf8_lossy(&begin.mechanism));
                let offered = known.filter(|known| offered(mechanisms).any(|one| one == known));
                let mechanism = offered.ok_or_else(|| broken("a mechanism that is not offered"))?;
                if under_way.contains_key(&begin.id) {
                    return Err(broken("a request has the number of one that is under way"));
                }
                if tasks.len() >= REQUESTS_MAX {
                    return Err(broken("too many requests are under way"));
                }
                let (responses, heard) = mpsc::channel(1);
                let (id, auth, lines) = (begin.id, Arc::clone(&auth), lines.clone());
                let task = tasks.spawn(login(auth, mechanism, begin, heard, lines));
                under_way.insert(id, UnderWay { responses, task });
            }
            Some(Request::Continue(id, response)) => {
                let expected = under_way.get(&id);
                let refusal = match (expected, sasl::decode(&response)) {
                    (None, _) => Some("reason=Authentication request timed out"),
                    (Some(_), None) => Some(
                        "code=invalid_base64\treason=Invalid base64 data in continued response",
                    ),
                    (Some(request), Some(response)) => request
                        .responses
                        .try_send(response)
                        .is_err()
                        .then_some("reason=Unexpected continuation"),
                };
                if let Some(why) = refusal {
                    under_way.remove(&id);
                    say(&lines, format!("FAIL\t{id}\t{why}\n")).await;
                }
            }
            Some(Request::Cancel(id)) => {
                under_way.remove(&id);
            }
            None => return Err(broken("a line that is no request")),
        }
    }
}

/// One login, from its beginning to its verdict.
async fn login(
    auth: Arc<Authenticator>,
    mechanism: Mechanism,
    begin: Begin,
    mut responses: mpsc::Receiver<Secret>,
    lines: mpsc::Sender<String>,
) -> Id {
    let id = begin.id;
    let purpose = Purpose::Submission {
        penalty: begin.penalty,
    };
    let line = Line {
        peer: begin.peer,
        purpose,
        tls: begin.tls,
        channel: None,
        shown: Vec::new(),
        certified: None,
    };
    let mut attempt = Attempt::new(auth, mechanism, line);
    let mut response = match begin.response.map(|octets| sasl::decode(&octets)) {
        None => None,
        Some(Some(response)) => Some(response),
        Some(None) => {
            let why = "code=invalid_base64\treason=Invalid base64 data in initial response";
            say(&lines, format!("FAIL\t{id}\t{why}\n")).await;
            return id;
        }
    };
    let mut last = None;
    loop {
        let verdict = match attempt.step(response.as_ref()).await {
            Step::Challenge(challenge) => {
                let challenge = sasl::encode(&challenge);
                if begin.final_in_ok && attempt.is_told() {
                    last = Some(challenge);
                    response = None;
                    continue;
                }
                say(&lines, format!("CONT\t{id}\t{challenge}\n")).await;
                response = match timeout(ANSWER_LIMIT, responses.recv()).await {
                    Ok(Some(response)) => Some(response),
                    // Cancelled.
                    Ok(None) => return id,
                    Err(_) => {
                        let why = "reason=Authentication request timed out";
                        say(&lines, format!("FAIL\t{id}\t{why}\n")).await;
                        return id;
                    }
                };
                continue;
            }
            Step::Verdict(verdict) => verdict,
        };
        let user = attempt
            .user()
            .map(|user| format!("\tuser={}", escaped(user)));
        let user = user.unwrap_or_default();
        let answer = match verdict {
            Verdict::Granted(granted) => {
                let mut answer = format!("OK\t{id}\tuser={}", escaped(&granted.user));
                if let Some(master) = granted.master.as_deref().map(escaped) {
                    let _ = write!(answer, "\toriginal_user={master}\tauth_user={master}");
                }
                if let Some(last) = &last {
                    let _ = write!(answer, "\tresp={last}");
                }
                answer
            }
            Verdict::Denied => format!("FAIL\t{id}{user}"),
            Verdict::Disabled(reason) => {
                let reason = escaped(&reason);
                format!("FAIL\t{id}{user}\tcode=user_disabled\treason={reason}")
            }
            Verdict::Unavailable => format!("FAIL\t{id}{user}\ttemp\tcode=temp_fail"),
        };
        say(&lines, answer + "\n").await;
        return id;
    }
}

async fn say(lines: &mpsc::Sender<String>, line: String) {
    // Nobody hears it once the connection is over.
    let _ = lines.send(line).await;
}

/// A line without its end; `None`: it is not in the protocol.
fn parse(line: &[u8]) -> Option<Request> {
    let mut fields = line.split(|byte| *byte == b'\t');
    match fields.next()? {
        b"VERSION" => (fields.next()? == b"1").then_some(Request::Version),
        b"CPID" => number(fields.next()?)
            .filter(|pid| *pid > 0)
            .map(|_| Request::Process),
        b"AUTH" => auth(fields),
        b"CONT" => {
            let id = number(fields.next()?)?;
            let response = Zeroizing::new(fields.next()?.to_vec());
            fields
                .next()
                .is_none()
                .then_some(Request::Continue(id, response))
        }
        b"CANCEL" => number(fields.next()?).map(Request::Cancel),
        _ => None,
    }
}

fn auth<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<Request> {
    let mut begin = Begin {
        id: number(fields.next()?)?,
        mechanism: fields.next()?.to_vec(),
        peer: String::new(),
        tls: Tls::No,
        penalty: true,
        final_in_ok: false,
        response: None,
    };
    let mut service = false;
    while let Some(field) = fields.next() {
        let equals = field.iter().position(|byte| *byte == b'=');
        let (key, value) = field.split_at(equals.unwrap_or(field.len()));
        let value = value.get(1..).unwrap_or_default();
        match key {
            b"service" => service = true,
            b"rip" => begin.peer = String::from_utf8(unescaped(value)).ok()?,
            b"secured" => begin.tls = Tls::Yes,
            b"no-penalty" => begin.penalty = false,
            b"final-resp-ok" => begin.final_in_ok = true,
            b"resp" => {
                // It is the last one, so that no password is taken for something else.
                if fields.next().is_some() {
                    return None;
                }
                begin.response = match value {
                    b"" => None,
                    b"=" => Some(Zeroizing::new(Vec::new())),
                    octets => Some(Zeroizing::new(octets.to_vec())),
                };
                break;
            }
            // There are more, and there will be others.
            _ => {}
        }
    }
    service.then_some(Request::Auth(begin))
}

pub(super) fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// A value as it may stand between two TABs.
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\0' => out.push_str("\u{1}0"),
            '\u{1}' => out.push_str("\u{1}1"),
            '\t' => out.push_str("\u{1}t"),
            '\n' => out.push_str("\u{1}n"),
            '\r' => out.push_str("\u{1}r"),
            other => out.push(other),
        }
    }
    out
}

/// What was meant.
pub(super) fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut octets = value.iter();
    while let Some(octet) = octets.next() {
        out.push(match octet {
            1 => match octets.next() {
                Some(b'0') => 0,
                Some(b't') => b'\t',
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b'1') | None => 1,
                Some(other) => *other,
            },
            other => *other,
        });
    }
    out
}

#[cfg(test)]
mod tests;
