//! The kinds of values in `culver.toml`: how each is read from TOML and written back.
//!
//! A value reads itself from one TOML value, says where and why it cannot, and writes itself as
//! TOML that reads back the same. What keys there are is not known here.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::system::Id;
use super::template::Template;

/// What is wrong in the file, and which bytes of it are meant.
pub(super) type Complaint = (Range<usize>, String);

/// A value of a key.
pub(super) trait Value: Sized {
    /// Reads it; each mistake goes into `complaints`, and `None` comes back if there was one.
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Self>;

    /// The value as TOML; `None` where the key is to be left out.
    fn write(&self) -> Option<String>;
}

/// Says at `from` that something else was expected there.
pub(super) fn expected<T>(
    from: &Spanned<DeValue<'_>>,
    what: &str,
    complaints: &mut Vec<Complaint>,
) -> Option<T> {
    let found = from.get_ref().type_str();
    complaints.push((from.span(), format!("expected {what}, found {found}")));
    None
}

/// Reads a string and makes something of it.
pub(super) fn from_string<T>(
    from: &Spanned<DeValue<'_>>,
    what: &str,
    complaints: &mut Vec<Complaint>,
    make: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let Some(text) = from.get_ref().as_str() else {
        return expected(from, what, complaints);
    };
    match make(text) {
        Ok(value) => Some(value),
        Err(text) => {
            complaints.push((from.span(), text));
            None
        }
    }
}

/// `text` as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

impl Value for String {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<String> {
        from_string(from, "a string", complaints, |text| Ok(text.to_owned()))
    }

    fn write(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl Value for bool {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<bool> {
        match from.get_ref().as_bool() {
            Some(value) => Some(value),
            None => expected(from, "true or false", complaints),
        }
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for u32 {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<u32> {
        let Some(number) = from.get_ref().as_integer() else {
            return expected(from, "a whole number", complaints);
        };
        let value = u32::from_str_radix(number.as_str(), number.radix()).ok();
        if value.is_none() {
            complaints.push((
                from.span(),
                format!("{number} is not between 0 and {}", u32::MAX),
            ));
        }
        value
    }

    fn write(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for PathBuf {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<PathBuf> {
        from_string(from, "a path", complaints, |text| {
            if text.is_empty() || text.contains('\0') {
                return Err("expected a path, which cannot be empty or hold a NUL".to_owned());
            }
            Ok(PathBuf::from(text))
        })
    }

    fn write(&self) -> Option<String> {
        // Read from TOML, so it is UTF-8.
        let text = self.to_string_lossy();
        (!text.is_empty()).then(|| quoted(&text))
    }
}

impl Value for Template {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Template> {
        from_string(from, "a string", complaints, |text| {
            if text.is_empty() {
                return Err("expected a path or name, found an empty string".to_owned());
            }
            Template::parse(text, "undh")
        })
    }

    fn write(&self) -> Option<String> {
        (!self.as_str().is_empty()).then(|| quoted(self.as_str()))
    }
}

impl Value for char {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<char> {
        from_string(from, "a single character", complaints, |text| {
            let mut letters = text.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Ok(letter),
                _ => Err(format!("expected a single character, found {text:?}")),
            }
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for Id {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Id> {
        if from.get_ref().is_integer() {
            return u32::read(from, complaints).map(Id::Number);
        }
        from_string(from, "a name or a number", complaints, |text| {
            Id::parse(text).ok_or_else(|| format!("{text:?} is no name of a user or group"))
        })
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Id::Number(number) => number.to_string(),
            Id::Name(name) => quoted(name),
        })
    }
}

impl<T: Value> Value for Option<T> {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Option<T>> {
        // An empty string unsets what has no default.
        if from.get_ref().as_str() == Some("") {
            return Some(None);
        }
        T::read(from, complaints).map(Some)
    }

    fn write(&self) -> Option<String> {
        self.as_ref()?.write()
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Vec<T>> {
        let Some(items) = from.get_ref().as_array() else {
            return expected(from, "a list in [ ]", complaints);
        };
        let before = complaints.len();
        let values = items
            .iter()
            .filter_map(|item| T::read(item, complaints))
            .collect();
        (complaints.len() == before).then_some(values)
    }

    fn write(&self) -> Option<String> {
        let items: Vec<String> = self.iter().filter_map(Value::write).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl Value for BTreeMap<String, String> {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Self> {
        let Some(table) = from.get_ref().as_table() else {
            return expected(from, "a table in { }", complaints);
        };
        let before = complaints.len();
        let values = table
            .iter()
            .filter_map(|(name, value)| {
                Some((name.get_ref().to_string(), String::read(value, complaints)?))
            })
            .collect();
        (complaints.len() == before).then_some(values)
    }

    fn write(&self) -> Option<String> {
        let fields: Vec<String> = self
            .iter()
            .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
            .collect();
        if fields.is_empty() {
            return Some("{}".to_owned());
        }
        Some(format!("{{ {} }}", fields.join(", ")))
    }
}
