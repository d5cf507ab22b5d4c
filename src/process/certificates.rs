//! Certificates on disk: read at the start, and again whenever their files change, so that a renewal needs no reload.
//!
//! What is renewed is used as a whole or not at all: while a file is half-written, does not fit its key, or is good at
//! another time only, the log says so and those that were read before go on serving. Files are looked at, not watched:
//! whoever renews them swaps links (as certbot does), directories, or the files themselves, and some lie on file systems
//! that tell nothing. A file system that hangs holds up nobody but the thread that looks.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use crate::blocking;
use crate::config::{Sni, Tls};
use crate::net::tls::{self, Identities, Material, Piece, TlsError};
use crate::process::ServeError;
use crate::process::child::Event;
use crate::process::link::receive_alone;

/// How often files are looked at. What has changed is read when it has not changed any more for as long.
const PAUSE: Duration = Duration::from_secs(2);

/// What was refused is read again after so long, though nothing has changed: its time may have come, or what refused it
/// may not have been in the files.
const AGAIN: Duration = Duration::from_secs(60);

/// How long the start waits for files to be read.
const READ_LIMIT: Duration = Duration::from_secs(20);

/// What a file looked like; `None`: it was not there. Links are followed.
type Look = Vec<Option<[u64; 5]>>;

/// Reads what the configuration names, or makes a certificate for `names` where it names none.
///
/// # Errors
///
/// What is wrong with a file, and `Usage` where reading takes too long.
pub fn read(config: &Tls, names: &[&str]) -> Result<Identities, ServeError> {
    let (sender, receiver) = sync_channel(1);
    let config = config.clone();
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    thread::spawn(move || {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // The start has given up if nobody hears it.
        let _ = sender.send(read_all(&config, &names));
    });
    let read = receiver.recv_timeout(READ_LIMIT);
    read.unwrap_or_else(|_| {
        Err(ServeError::Usage(format!(
            "the files of certificates could not be read in {} s",
            READ_LIMIT.as_secs()
        )))
    })
}

fn read_all(config: &Tls, names: &[&str]) -> Result<Identities, ServeError> {
    let first = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => Material::load(certificate, key)?,
        (None, None) => Material::self_signed(names)?,
        _ => {
            return Err(ServeError::Usage(
                "a certificate and its key go together: give both or none".to_owned(),
            ));
        }
    };
    let mut certificates = vec![first];
    for Sni { certificate, key } in &config.sni {
        certificates.push(Material::load(certificate, key)?);
    }
    let authorities = match &config.client_ca {
        Some(path) => tls::load_authorities(path)?,
        None => Vec::new(),
    };
    Ok(Identities {
        certificates,
        authorities,
    })
}

/// Hears from master what it has read: so many parts, a message each, behind the setup.
pub fn hear(count: usize, master: &OwnedFd) -> Result<Identities, ServeError> {
    let mut identities = Identities::default();
    for _ in 0..count {
        let next = receive_alone::<Piece>(master);
        let next = next.map_err(ServeError::system("hear of certificates"))?;
        let (piece, _) = next.ok_or_else(|| {
            ServeError::system("hear of certificates")(io::ErrorKind::UnexpectedEof.into())
        })?;
        identities.add(piece);
    }
    Ok(identities)
}

/// Says so where a certificate is not good at this time.
pub fn warn_of_times(config: &Tls, identities: &Identities) {
    if let Err(error) = check_times(config, identities) {
        warn!("clients will not trust it: {error}");
    }
}

fn check_times(config: &Tls, identities: &Identities) -> Result<(), TlsError> {
    let now = Timestamp::now();
    let named = config.certificate.iter();
    let named = named.chain(config.sni.iter().map(|sni| &sni.certificate));
    for (certificate, path) in identities.certificates.iter().zip(named) {
        certificate.check_time(path, now)?;
    }
    Ok(())
}

/// Looks at the files for ever, and tells master of what is new in them.
pub async fn watch(config: Tls, mut serving: Identities, events: mpsc::Sender<Event>) {
    let paths = paths(&config);
    if paths.is_empty() {
        return;
    }
    let mut known = look(&paths).await;
    // What was read at the start may have changed by now: it is read once more.
    let mut read = None;
    let mut refused = None;
    // When it was refused.
    let mut tried: Option<Instant> = None;
    loop {
        sleep(PAUSE).await;
        let seen = look(&paths).await;
        let settled = seen == known;
        known = seen;
        let is_due = tried.is_some_and(|tried| tried.elapsed() >= AGAIN);
        if !settled || (read.as_ref() == Some(&known) && !is_due) {
            continue;
        }
        let found = renewed(&config).await;
        // It may have changed while it was read.
        let after = look(&paths).await;
        if after != known {
            known = after;
            continue;
        }
        read = Some(after);
        tried = found.is_err().then(Instant::now);
        let found = found.map(|found| keep_made(&config, found, &serving));
        match found {
            Ok(found) if found == serving => refused = None,
            Ok(found) => {
                info!("certificates have been renewed");
                (serving, refused) = (found.clone(), None);
                if events.send(Event::Certificates(found)).await.is_err() {
                    return;
                }
            }
            Err(why) => {
                if refused.as_ref() != Some(&why) {
                    warn!("renewed certificates are not used, the old ones go on serving: {why}");
                }
                refused = Some(why);
            }
        }
    }
}

/// A certificate that was made at the start is not made again.
fn keep_made(config: &Tls, mut found: Identities, serving: &Identities) -> Identities {
    if config.certificate.is_none()
        && let (Some(made), Some(kept)) =
            (found.certificates.first_mut(), serving.certificates.first())
    {
        *made = kept.clone();
    }
    found
}

/// What is in the files now, if all of it can be used.
async fn renewed(config: &Tls) -> Result<Identities, String> {
    let config = config.clone();
    let reading = blocking::spawn(move || {
        let found = read_all(&config, &[]).map_err(|error| error.to_string())?;
        check_times(&config, &found).map_err(|error| error.to_string())?;
        Ok(found)
    });
    reading.await.unwrap_or_else(|error| Err(error.to_string()))
}

fn paths(config: &Tls) -> Vec<PathBuf> {
    let first = config.certificate.iter().chain(&config.key);
    let sni = config.sni.iter();
    let sni = sni.flat_map(|sni| [&sni.certificate, &sni.key]);
    let all = first.chain(sni).chain(&config.client_ca);
    all.cloned().collect()
}

/// Where looking hangs, so does this, and nothing else.
async fn look(paths: &[PathBuf]) -> Look {
    let paths = paths.to_vec();
    let looking = blocking::spawn(move || paths.iter().map(|path| look_at(path)).collect());
    looking.await.unwrap_or_default()
}

fn look_at(path: &Path) -> Option<[u64; 5]> {
    let found = fs::metadata(path).ok()?;
    let changed = found.ctime_nsec().cast_unsigned();
    let at = found.ctime().cast_unsigned();
    Some([found.dev(), found.ino(), found.size(), at, changed])
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate that is good in so many seconds.
    fn write(config: &Tls, seconds: i64) {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let from = Timestamp::now().as_second() + seconds;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(from.cast_unsigned());
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(config.certificate.as_ref().unwrap(), certificate.pem()).unwrap();
        fs::write(config.key.as_ref().unwrap(), key.serialize_pem()).unwrap();
    }

    /// Nothing changes in the files, but its time comes. Time goes on by itself where nothing but time is waited for.
    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let config = Tls {
            certificate: Some(home.path().join("cert.pem")),
            key: Some(home.path().join("key.pem")),
            ..Tls::default()
        };
        write(&config, -10);
        let serving = read(&config, &[]).unwrap();
        write(&config, 3);
        let (events, mut happened) = mpsc::channel(1);
        let watching = tokio::spawn(watch(config, serving.clone(), events));
        let start = std::time::Instant::now();
        let event = loop {
            match happened.try_recv() {
                Ok(event) => break event,
                Err(_) => assert!(start.elapsed() < Duration::from_secs(20)),
            }
            sleep(PAUSE).await;
        };
        assert!(matches!(event, Event::Certificates(found) if found != serving));
        assert!(start.elapsed() > Duration::from_secs(1));
        watching.abort();
    }
}
