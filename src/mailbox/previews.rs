//! Previews of messages (RFC 8970) that were made once, for those who want them only if they are at hand. In memory
//! and bounded: what was not asked for lately is made again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::imap::sequence::Uid;
use crate::mailbox::mailbox::lock;

/// How many are kept of a mailbox: half of them at least when it is full.
const KEPT_MAX: usize = 1024;

/// A mailbox's previews.
#[derive(Debug, Default)]
pub struct Previews(Mutex<Generations>);

/// When the younger half is full, the older one is forgotten.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Uid, Arc<str>>,
    old: HashMap<Uid, Arc<str>>,
}

impl Previews {
    /// The preview of a message, if it is here.
    pub fn get(&self, uid: Uid) -> Option<Arc<str>> {
        let generations = lock(&self.0);
        let kept = generations.young.get(&uid);
        kept.or_else(|| generations.old.get(&uid)).cloned()
    }

    /// Keeps the preview of a message, which never changes, and gives it back.
    pub fn keep(&self, uid: Uid, text: String) -> Arc<str> {
        let text: Arc<str> = text.into();
        let mut generations = lock(&self.0);
        if generations.young.len() >= KEPT_MAX / 2 {
            generations.old = std::mem::take(&mut generations.young);
        }
        generations.young.insert(uid, Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let previews = Previews::default();
        let uid = |number: usize| Uid::new(u32::try_from(number).unwrap()).unwrap();
        let last = 10 * KEPT_MAX;
        for number in 1..=last {
            assert_eq!(previews.get(uid(number)), None);
            previews.keep(uid(number), number.to_string());
            let first = number.saturating_sub(KEPT_MAX / 2) + 1;
            assert_eq!(
                previews.get(uid(first)).as_deref(),
                Some(&*first.to_string())
            );
        }
        let kept = (1..=last).filter(|number| previews.get(uid(*number)).is_some());
        let kept = kept.count();
        assert!(kept <= KEPT_MAX, "{kept}");
    }
}
