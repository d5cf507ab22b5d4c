//! The kinds of values in `culver.toml`: how each is read from TOML and written back.
//!
//! A [`Value`] reads itself from one TOML value, says where and why it cannot, and writes itself as
//! TOML that reads back the same. What keys there are is not known here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::AuthSocket;
use super::system::Id;
use super::template::Template;

/// A number of octets; 0 means no limit. Written as a number with `K`, `M` or `G` (1024-fold).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Size(pub u64);

impl Size {
    /// No limit.
    pub const UNLIMITED: Size = Size(0);

    /// The number of octets, `None` where there is no limit.
    pub fn limit(self) -> Option<u64> {
        (self.0 != 0).then_some(self.0)
    }
}

/// A span of time in whole seconds; 0 means none or no limit. Written as a number with `s`, `m`, `h`
/// or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Time(pub Duration);

impl Time {
    /// The time, `None` where there is no limit.
    pub fn limit(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

/// Where a service listens: a socket file or an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket file.
    Path(PathBuf),
    /// An address and port.
    Address(SocketAddr),
}

/// A range of addresses, `10.0.0.0/8`; an address alone is a range of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` lies in the range. An IPv4 address that came in by an IPv6 socket
    /// (`::ffff:a.b.c.d`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let shift = 32u32.saturating_sub(u32::from(self.prefix));
                let differ = range.to_bits() ^ address.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let shift = 128u32.saturating_sub(u32::from(self.prefix));
                let differ = range.to_bits() ^ address.to_bits();
                differ.checked_shr(shift).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let expected = || format!("{text:?} is no network; expected one like \"10.0.0.0/8\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let widest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) => prefix.parse().map_err(|_| expected())?,
            None => widest,
        };
        if prefix > widest {
            return Err(expected());
        }
        Ok(Network { address, prefix })
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Reads `address:port`; `localhost` stands for 127.0.0.1.
pub fn parse_address(text: &str) -> Result<SocketAddr, String> {
    if let Some(port) = text.strip_prefix("localhost:")
        && let Ok(port) = port.parse()
    {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        format!("{text:?} is no address; expected one like \"127.0.0.1:143\" or \"[::]:143\"")
    })
}

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
fn expected<T>(
    from: &Spanned<DeValue<'_>>,
    what: &str,
    complaints: &mut Vec<Complaint>,
) -> Option<T> {
    let found = from.get_ref().type_str();
    complaints.push((from.span(), format!("expected {what}, found {found}")));
    None
}

/// Reads a string and makes something of it.
fn from_string<T>(
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

/// Units of [`Size`], largest first.
const SIZE_UNITS: [(&str, u64); 3] = [("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

/// Units of [`Time`] in seconds, largest first.
const TIME_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// A number with a unit behind it; `bare` is what a number without one is multiplied with, if it
/// may stand alone. Zero needs no unit.
fn with_unit(text: &str, units: &[(&str, u64)], bare: Option<u64>) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .or_else(|| match bare {
            _ if text == "0" => Some((text, 1)),
            Some(factor) => Some((text, factor)),
            None => None,
        })?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The shortest way to write `amount` with one of `units`.
fn in_units(amount: u64, units: &[(&str, u64)]) -> String {
    match units
        .iter()
        .find(|(_, factor)| amount != 0 && amount.is_multiple_of(*factor))
    {
        Some((unit, factor)) => format!("{}{unit}", amount / factor),
        None => amount.to_string(),
    }
}

impl Value for Size {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Size> {
        from_string(from, "a size like \"10M\" (quoted)", complaints, |text| {
            with_unit(text, &SIZE_UNITS, Some(1)).map(Size).ok_or_else(|| {
                format!("{text:?} is no size; expected one like \"500K\", \"10M\" or \"2G\", or \"0\" for no limit")
            })
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&in_units(self.0, &SIZE_UNITS)))
    }
}

/// The longest [`Time`], ten years: no clock overflows by adding it.
const MAX_SECONDS: u64 = 10 * 366 * 86_400;

impl Value for Time {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Time> {
        from_string(from, "a time like \"30m\" (quoted)", complaints, |text| {
            with_unit(text, &TIME_UNITS, None)
                .filter(|seconds| *seconds <= MAX_SECONDS)
                .map(|seconds| Time(Duration::from_secs(seconds)))
                .ok_or_else(|| {
                    format!("{text:?} is no time; expected one like \"2s\", \"30m\", \"1h\" or \"7d\", or \"0\"")
                })
        })
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&in_units(self.0.as_secs(), &TIME_UNITS)))
    }
}

impl Value for SocketAddr {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<SocketAddr> {
        from_string(
            from,
            "an address like \"[::]:143\"",
            complaints,
            parse_address,
        )
    }

    fn write(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for Endpoint {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Endpoint> {
        from_string(from, "a path or an address", complaints, |text| {
            if text.starts_with('/') && !text.contains('\0') {
                return Ok(Endpoint::Path(PathBuf::from(text)));
            }
            parse_address(text).map(Endpoint::Address).map_err(|_| {
                format!("{text:?} is neither a path (which begins with /) nor an address like \"127.0.0.1:24\"")
            })
        })
    }

    fn write(&self) -> Option<String> {
        Some(match self {
            Endpoint::Path(path) => quoted(&path.to_string_lossy()),
            Endpoint::Address(address) => quoted(&address.to_string()),
        })
    }
}

impl Value for Network {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<Network> {
        from_string(
            from,
            "a network like \"10.0.0.0/8\"",
            complaints,
            str::parse,
        )
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

impl Value for AuthSocket {
    fn read(from: &Spanned<DeValue<'_>>, complaints: &mut Vec<Complaint>) -> Option<AuthSocket> {
        let Some(table) = from.get_ref().as_table() else {
            if !from.get_ref().is_str() {
                return expected(from, "a path or a table with one", complaints);
            }
            return PathBuf::read(from, complaints).map(|path| AuthSocket {
                path,
                ..AuthSocket::default()
            });
        };
        let before = complaints.len();
        let mut socket = AuthSocket::default();
        for (name, value) in table {
            match &**name.get_ref() {
                "path" => socket.path = PathBuf::read(value, complaints).unwrap_or_default(),
                "user" => socket.user = Id::read(value, complaints),
                "group" => socket.group = Id::read(value, complaints),
                "mode" => {
                    socket.mode = from_string(value, "a mode like \"0660\"", complaints, |text| {
                        u32::from_str_radix(text, 8)
                            .ok()
                            .filter(|mode| *mode <= 0o777)
                            .ok_or_else(|| {
                                format!("{text:?} is no mode; expected one like \"0660\"")
                            })
                    });
                }
                other => complaints.push((
                    name.span(),
                    format!("unknown key {other:?}; expected path, user, group or mode"),
                )),
            }
        }
        if complaints.len() == before && socket.path.as_os_str().is_empty() {
            complaints.push((from.span(), "path is missing".to_owned()));
        }
        (complaints.len() == before).then_some(socket)
    }

    fn write(&self) -> Option<String> {
        let path = self.path.write()?;
        if self.user.is_none() && self.group.is_none() && self.mode.is_none() {
            return Some(path);
        }
        let mut fields = vec![format!("path = {path}")];
        if let Some(user) = self.user.write() {
            fields.push(format!("user = {user}"));
        }
        if let Some(group) = self.group.write() {
            fields.push(format!("group = {group}"));
        }
        if let Some(mode) = self.mode {
            fields.push(format!("mode = \"{mode:04o}\""));
        }
        Some(format!("{{ {} }}", fields.join(", ")))
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

/// Reads one of a few words; upper and lower case are the same.
pub(super) fn read_word<T: Copy>(
    from: &Spanned<DeValue<'_>>,
    all: &[T],
    word: fn(T) -> &'static str,
    complaints: &mut Vec<Complaint>,
) -> Option<T> {
    from_string(from, "a string", complaints, |text| {
        let found = all
            .iter()
            .find(|one| word(**one).eq_ignore_ascii_case(text));
        found.copied().ok_or_else(|| {
            let allowed: Vec<String> = all.iter().map(|one| format!("{:?}", word(*one))).collect();
            format!("{text:?} is not one of {}", allowed.join(", "))
        })
    })
}

/// An enum whose variants are words in the file.
macro_rules! words {
    (
        $(#[$about:meta])*
        pub enum $name:ident {
            $($(#[$meta:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub enum $name {
            $($(#[$meta])* $variant,)+
        }

        impl $name {
            /// Every variant.
            pub const ALL: &[$name] = &[$($name::$variant),+];

            /// The word for it in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }
        }

        impl $crate::config::value::Value for $name {
            fn read(
                from: &toml::Spanned<toml::de::DeValue<'_>>,
                complaints: &mut Vec<$crate::config::value::Complaint>,
            ) -> Option<Self> {
                $crate::config::value::read_word(from, $name::ALL, $name::as_str, complaints)
            }

            fn write(&self) -> Option<String> {
                Some($crate::config::value::quoted(self.as_str()))
            }
        }
    };
}
pub(super) use words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        let size = |text| with_unit(text, &SIZE_UNITS, Some(1));
        assert_eq!(size("10M"), Some(10 << 20));
        assert_eq!(size("0"), Some(0));
        assert_eq!(size("4096"), Some(4096));
        for bad in ["", "M", "10MB", "-1", "1.5G", "10 M", "99999999999G", "+1K"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        let time = |text| with_unit(text, &TIME_UNITS, None);
        assert_eq!(time("2s"), Some(2));
        assert_eq!(time("30m"), Some(1800));
        assert_eq!(time("1d"), Some(86_400));
        assert_eq!(time("0"), Some(0));
        for bad in ["30", "m", "1w", "1h30m", "2S"] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }

    #[test]
    fn units_are_written_as_largest_that_fits() {
        assert_eq!(in_units(10 << 20, &SIZE_UNITS), "10M");
        assert_eq!(in_units(1500, &SIZE_UNITS), "1500");
        assert_eq!(in_units(0, &SIZE_UNITS), "0");
        assert_eq!(in_units(60, &TIME_UNITS), "1m");
        assert_eq!(in_units(90, &TIME_UNITS), "90s");
    }

    #[test]
    fn networks_contain_their_addresses() {
        let in_network = |network: &str, address: &str| {
            let network: Network = network.parse().expect("network");
            network.contains(address.parse().expect("address"))
        };
        assert!(in_network("10.0.0.0/8", "10.255.1.2"));
        assert!(!in_network("10.0.0.0/8", "11.0.0.1"));
        assert!(in_network("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(in_network("192.0.2.7", "192.0.2.7"));
        assert!(!in_network("192.0.2.7", "192.0.2.6"));
        assert!(in_network("0.0.0.0/0", "203.0.113.9"));
        assert!(!in_network("0.0.0.0/0", "2001:db8::1"));
        assert!(in_network("2001:db8::/32", "2001:db8:1::1"));
        assert!(in_network("::/0", "2001:db8::1"));
        for bad in ["10.0.0.0/33", "::/129", "x", "10.0.0.0/", "/8", "10.0.0/8"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert!(parse_address("[::]:143").is_ok());
        assert_eq!(
            parse_address("localhost:1143").unwrap().to_string(),
            "127.0.0.1:1143"
        );
        for bad in [
            "143",
            ":143",
            "::143",
            "host.example:143",
            "1.2.3.4",
            "1.2.3.4:99999",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }
}
