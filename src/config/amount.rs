//! Sizes and times, written as a number and a unit.

use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::value::{Complaint, Value, from_string, quoted};

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
}
