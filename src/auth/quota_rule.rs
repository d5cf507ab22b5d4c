//! What a user's own fields say of the quota: `quota_rule=*:storage=5M:messages=1000` as Dovecot 2.3 has it,
//! `quota_storage_size=5M` and `quota_message_count=1000` as 2.4.
//!
//! A rule is all that holds: what it does not limit is not limited. Rules of single mailboxes (`Trash:storage=+10M`)
//! are passed over, and the log says so.

use super::AccountFields;

/// Units of storage, 1024-fold from one to the next.
const UNITS: [u8; 5] = [b'B', b'K', b'M', b'G', b'T'];

/// Takes a field, its `userdb_` gone. False if it is not about the quota.
pub(super) fn take(
    account: &mut AccountFields,
    user: &str,
    key: &str,
    value: &str,
) -> Result<bool, String> {
    let bad = || format!("{key}={value} cannot be understood");
    match key {
        "quota_rule" => match value.strip_prefix("*:") {
            Some(limits) => rule(account, limits).ok_or_else(bad)?,
            None => tracing::warn!("user {user}: {key}={value} is of one mailbox, and passed over"),
        },
        "quota_storage_size" => {
            account.quota_storage = Some(limit(value, size_in(1)).ok_or_else(bad)?);
        }
        "quota_message_count" => {
            account.quota_messages = Some(limit(value, count).ok_or_else(bad)?);
        }
        rule if rule.starts_with("quota_rule") => {
            tracing::warn!("user {user}: {key}={value} is passed over");
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn rule(account: &mut AccountFields, limits: &str) -> Option<()> {
    (account.quota_storage, account.quota_messages) = (Some(0), Some(0));
    for limit in limits.split(':').filter(|limit| !limit.is_empty()) {
        match limit.split_once('=') {
            Some(("storage", size)) => account.quota_storage = Some(size_in(1024)(size)?),
            Some(("bytes", size)) => account.quota_storage = Some(size_in(1)(size)?),
            Some(("messages", number)) => account.quota_messages = Some(count(number)?),
            _ => return None,
        }
    }
    Some(())
}

/// 0 for no limit.
fn limit(value: &str, read: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    match value {
        "unlimited" => Some(0),
        value => read(value),
    }
}

/// A size whose unit, where it names none, is so many octets.
fn size_in(unit: u64) -> impl Fn(&str) -> Option<u64> {
    move |value| {
        let upper = value.to_ascii_uppercase();
        let (last, rest) = upper.as_bytes().split_last()?;
        let factor = UNITS.iter().position(|unit| unit == last);
        let (digits, factor) = match factor {
            Some(power) => (rest, 1024u64.checked_pow(u32::try_from(power).ok()?)?),
            None => (upper.as_bytes(), unit),
        };
        count(std::str::from_utf8(digits).ok()?)?.checked_mul(factor)
    }
}

/// A number of digits alone.
fn count(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(key: &str, value: &str) -> Option<(Option<u64>, Option<u64>)> {
        let mut account = AccountFields::default();
        let taken = take(&mut account, "ann", key, value);
        taken
            .ok()
            .map(|_| (account.quota_storage, account.quota_messages))
    }

    #[test]
    fn rules_of_2_3_say_all() {
        for (rule, storage, messages) in [
            ("*:storage=5M:messages=1000", 5 << 20, 1000),
            ("*:storage=5m", 5 << 20, 0),
            ("*:storage=5", 5 << 10, 0),
            ("*:bytes=5000", 5000, 0),
            ("*:storage=5000B", 5000, 0),
            ("*:messages=7", 0, 7),
            ("*:storage=0", 0, 0),
            ("*:", 0, 0),
            ("*:storage=2T:messages=0", 2 << 40, 0),
        ] {
            let expected = (Some(storage), Some(messages));
            assert_eq!(limits("quota_rule", rule), Some(expected), "{rule}");
        }
        for passed_over in [("quota_rule", "Trash:storage=+10M"), ("quota_rule2", "*:x")] {
            assert_eq!(limits(passed_over.0, passed_over.1), Some((None, None)));
        }
    }

    #[test]
    fn settings_of_2_4_say_one_thing_each() {
        for (key, value, expected) in [
            ("quota_storage_size", "5M", (Some(5 << 20), None)),
            ("quota_storage_size", "5", (Some(5), None)),
            ("quota_storage_size", "unlimited", (Some(0), None)),
            ("quota_message_count", "12", (None, Some(12))),
            ("quota_message_count", "0", (None, Some(0))),
            ("quota_message_count", "unlimited", (None, Some(0))),
            ("quota", "12", (None, None)),
        ] {
            assert_eq!(limits(key, value), Some(expected), "{key}={value}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (key, value) in [
            ("quota_rule", "*:storage=x"),
            ("quota_rule", "*:storage="),
            ("quota_rule", "*:storage=M"),
            ("quota_rule", "*:storage=-5M"),
            ("quota_rule", "*:storage=10%"),
            ("quota_rule", "*:ignore"),
            ("quota_rule", "*:messages=1k"),
            ("quota_storage_size", "99999999999999999T"),
            ("quota_storage_size", ""),
            ("quota_message_count", "5M"),
        ] {
            assert_eq!(limits(key, value), None, "{key}={value}");
        }
    }
}
