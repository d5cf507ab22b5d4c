//! Passwords of users that stand for those of nobody, so that neither time nor what is asked of a client tells who exists.
//!
//! A name that nobody has is given to the same user each time, and to each user about as many: so nobody is like users
//! are, however many kinds of hashes these have. It stays so in another process, and while other users come and go, for
//! users and names have their places on one ring, and a name belongs to the next user there.

use sha2::{Digest, Sha256};

use super::hash::{Scheme, Stored};
use super::passwd_line::password_field;

/// How many users are enough.
const MOST: usize = 128;

/// Those of one file.
#[derive(Clone, Debug, Default)]
pub struct StandIns {
    /// In the order of their places.
    ring: Vec<(u64, Stored)>,
    /// How many users they are for.
    pub count: usize,
}

impl StandIns {
    /// Chooses among users, by their names and what a passwd-file has behind them. Who has no password that can be tried
    /// stands for nobody.
    pub fn of<'a>(users: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> StandIns {
        let mut all: Vec<_> = users
            .filter(|(_, line)| !line.is_empty() && !line.starts_with(b":"))
            .map(|(name, line)| (places(name), line))
            .collect();
        all.sort_unstable_by_key(|((rank, _), _)| *rank);
        let count = all.len();
        let known = all.into_iter().filter_map(|((_, place), line)| {
            let field = line.split(|byte| *byte == b':').next()?;
            let (text, scheme) = password_field(std::str::from_utf8(field).ok()?);
            let stored = Stored::parse(&text, scheme.unwrap_or(Scheme::Crypt)).ok()?;
            (!stored.is_locked()).then_some((place, stored))
        });
        let mut ring: Vec<_> = known.take(MOST).collect();
        ring.sort_unstable_by_key(|(place, _)| *place);
        StandIns { ring, count }
    }

    /// Who stands for this name, of those that will do.
    pub fn of_name(&self, name: &str, will_do: impl Fn(&Stored) -> bool) -> Option<&Stored> {
        let (_, place) = places(name.as_bytes());
        let first = self.ring.partition_point(|(other, _)| *other < place);
        let (before, after) = self.ring.split_at_checked(first)?;
        let mut next = after.iter().chain(before).map(|(_, stored)| stored);
        next.find(|stored| will_do(stored))
    }
}

/// Which of these numbers, each of a weight, a name belongs to.
pub fn draw<T>(name: &str, weighed: Vec<(usize, T)>) -> Option<T> {
    let total: usize = weighed.iter().map(|(weight, _)| weight).sum();
    let (share, _) = places(name.as_bytes());
    let at = u128::from(share).saturating_mul(total as u128) >> u64::BITS;
    let mut sum = 0u128;
    weighed.into_iter().find_map(|(weight, one)| {
        sum = sum.saturating_add(weight as u128);
        (at < sum).then_some(one)
    })
}

/// Whether a user is among the chosen, the lower the sooner; and the place on the ring.
fn places(name: &[u8]) -> (u64, u64) {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let [rank, place, ..] = digest.as_chunks::<8>().0 else {
        return (0, 0);
    };
    (u64::from_le_bytes(*rank), u64::from_le_bytes(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[(String, String)]) -> StandIns {
        let lines = lines.iter();
        StandIns::of(lines.map(|(name, line)| (name.as_bytes(), line.as_bytes())))
    }

    #[test]
    fn whoever_has_a_password_may_stand_for_others() {
        let lines = [
            ("none", ":5000:5000"),
            ("short", ""),
            ("odd", "{NONSENSE}x"),
            ("plain", "{PLAIN}1:5000"),
            ("locked", "!$6$saltsalt$x:5000"),
            ("star", "*"),
            ("x", "x:5000"),
            ("bare", "$6$saltsalt$x:5000"),
            ("old", "rqXexS6ZhobKA[13]"),
        ];
        for (name, line) in lines {
            let one = of(&[(name.to_owned(), line.to_owned())]);
            let stands = one.of_name("nobody", |_| true).is_some();
            assert_eq!(stands, ["plain", "bare", "old"].contains(&name), "{name}");
        }
        let of_all = of(&lines.map(|(name, line)| (name.to_owned(), line.to_owned())));
        let plain = Stored::plain(b"1");
        for number in 0..100 {
            let name = format!("nobody{number}");
            assert_eq!(of_all.of_name(&name, |it| *it == plain), Some(&plain));
        }
    }

    #[test]
    fn each_stands_for_about_as_many_and_for_the_same_ones() {
        let line = |number: usize| (format!("user{number}"), format!("{{PLAIN}}{}", number % 2));
        let mut lines: Vec<_> = (0..1000).map(line).collect();
        let all = of(&lines);
        assert_eq!((all.ring.len(), all.count), (MOST, 1000));
        let names: Vec<_> = (0..1000).map(|number| format!("name{number}")).collect();
        let even = Stored::plain(b"0");
        let of_even = |all: &StandIns| -> Vec<bool> {
            let names = names.iter();
            names
                .map(|name| all.of_name(name, |_| true) == Some(&even))
                .collect()
        };
        let before = of_even(&all);
        let share = before.iter().filter(|even| **even).count();
        assert!((300..700).contains(&share), "{share}");
        lines.reverse();
        assert_eq!(of_even(&of(&lines)), before);
        lines.truncate(990);
        let after = of_even(&of(&lines));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(one, other)| one != other);
        assert!(moved.count() < 150);
    }

    #[test]
    fn shares_are_as_large_as_their_weights() {
        let names = (0..1000).map(|number| format!("name{number}"));
        let drawn: Vec<_> = names
            .map(|name| draw(&name, vec![(0, 'a'), (100, 'b'), (900, 'c')]).unwrap())
            .collect();
        let few = drawn.iter().filter(|one| **one == 'b').count();
        assert!((50..150).contains(&few) && !drawn.contains(&'a'));
        assert_eq!(draw::<()>("name", Vec::new()), None);
    }
}
