//! What all sessions of a user have been told together: a UID of INBOX names one message for ever, and is recent
//! to one session at most.

use std::collections::HashMap;

/// By UID.
#[derive(Debug, Default)]
pub struct Known {
    subjects: HashMap<u32, String>,
    recent: HashMap<u32, String>,
}

impl Known {
    /// A message was shown, or its UID was told to who added it.
    pub fn name(&mut self, uid: u32, subject: &str) -> Result<(), String> {
        let known = self.subjects.entry(uid).or_insert(subject.to_owned());
        match known == subject {
            true => Ok(()),
            false => Err(format!("UID {uid} named {known}, and now {subject}")),
        }
    }

    /// COPYUID: these are now those.
    pub fn copied(&mut self, from: &[u32], to: &[u32]) -> Result<(), String> {
        for (from, to) in from.iter().zip(to) {
            if let Some(subject) = self.subjects.get(from).cloned() {
                self.name(*to, &subject)?;
            }
        }
        Ok(())
    }

    /// A message was shown with `\Recent` in this selection.
    pub fn recent(&mut self, uid: u32, selection: &str) -> Result<(), String> {
        let known = self.recent.entry(uid).or_insert(selection.to_owned());
        match known == selection {
            true => Ok(()),
            false => Err(format!("UID {uid} is recent here, and was so in {known}")),
        }
    }
}

/// The mailbox's UIDVALIDITY and the sets of numbers in a response code: `[COPYUID 9 1,3:4 7:9]`.
pub fn code(line: &str, name: &str) -> Option<(u32, Vec<Vec<u32>>)> {
    let (_, rest) = line.split_once(&format!("[{name} "))?;
    let mut words = rest.split(']').next()?.split(' ');
    let validity = words.next()?.parse().ok()?;
    Some((validity, words.map(numbers).collect::<Option<_>>()?))
}

fn numbers(set: &str) -> Option<Vec<u32>> {
    let mut all = Vec::new();
    for range in set.split(',') {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        all.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(all)
}
