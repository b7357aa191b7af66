//! Settings as records: what a layer, a rule, an optimiser or a section can be given. One matcher reads arguments by
//! them, and help and checks are made from them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use crate::cases::Cases;
use crate::quantum::ansatz::Ansatz;
use crate::tensor_type::ShapeError;

/// The real numbers that a setting takes.
///
/// Kernels compute in f32, so a number beyond its range (or one that f32 rounds to 0) is never within limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    least: f64,
    most: f64,
    least_excluded: bool,
    most_excluded: bool,
}

impl Limits {
    /// Every number that f32 can hold.
    pub const ANY: Limits = Limits {
        least: f64::NEG_INFINITY,
        most: f64::INFINITY,
        least_excluded: false,
        most_excluded: false,
    };

    /// From 0 on.
    pub const NOT_NEGATIVE: Limits = Limits::ANY.at_least(0.0);

    /// Above 0.
    pub const POSITIVE: Limits = Limits::ANY.above(0.0);

    /// From 0 to 1.
    pub const FRACTION: Limits = Limits::NOT_NEGATIVE.at_most(1.0);

    /// These limits, from `least` on.
    #[must_use]
    pub const fn at_least(mut self, least: f64) -> Limits {
        (self.least, self.least_excluded) = (least, false);
        self
    }

    /// These limits, above `least`.
    #[must_use]
    pub const fn above(mut self, least: f64) -> Limits {
        (self.least, self.least_excluded) = (least, true);
        self
    }

    /// These limits, up to `most`.
    #[must_use]
    pub const fn at_most(mut self, most: f64) -> Limits {
        (self.most, self.most_excluded) = (most, false);
        self
    }

    /// These limits, below `most`.
    #[must_use]
    pub const fn below(mut self, most: f64) -> Limits {
        (self.most, self.most_excluded) = (most, true);
        self
    }

    /// What a number has to fulfil, where this one does not: `not be negative`.
    pub fn refusal(&self, value: f64) -> Option<String> {
        let stored = value as f32;
        // A number next to an excluded end may be that end in f32.
        let is = |end: f64| value == end || f64::from(stored) == end;
        let low = value < self.least || (self.least_excluded && is(self.least));
        let high = value > self.most || (self.most_excluded && is(self.most));
        if low || high || value.is_nan() {
            return Some(self.to_string());
        }
        if stored.is_infinite() {
            return Some(format!(
                "lie within the range of f32, {:e} at most",
                f32::MAX
            ));
        }
        let lost = stored == 0.0 && value != 0.0;
        lost.then(|| "be 0 or large enough for f32, 1e-45 at least".to_owned())
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (self.least, self.most);
        match (least.is_finite(), most.is_finite()) {
            (false, false) => f.write_str("be a number"),
            (true, false) if least == 0.0 && self.least_excluded => f.write_str("be above 0"),
            (true, false) if least == 0.0 => f.write_str("not be negative"),
            (true, false) if self.least_excluded => write!(f, "be above {least}"),
            (true, false) => write!(f, "be at least {least}"),
            (false, true) if self.most_excluded => write!(f, "be below {most}"),
            (false, true) => write!(f, "be at most {most}"),
            (true, true) => {
                write!(f, "lie between {least} and {most}")?;
                match (self.least_excluded, self.most_excluded) {
                    (false, false) => Ok(()),
                    (true, false) => write!(f, ", {least} excluded"),
                    (false, true) => write!(f, ", {most} excluded"),
                    (true, true) => f.write_str(", both excluded"),
                }
            }
        }
    }
}

/// What values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number within bounds.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value.
        max: i64,
    },
    /// A real number within limits.
    Float(Limits),
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A circuit, by its name.
    Circuit,
    /// An odd whole number.
    Odd {
        /// Greatest value.
        max: i64,
    },
    /// Two numbers, the lower one first.
    Range,
    /// Rows and columns, or one of these words.
    Size(&'static [&'static str]),
    /// Case numbers.
    Cases,
    /// A path in quotes, or one of these words.
    Path(&'static [&'static str]),
    /// What a reader of its own takes, in words.
    Other(&'static str),
}

/// Largest number of rows or columns.
const MAX_SIDE: f64 = 8192.0;

impl Kind {
    /// What a number, a size or cases must do, where these do not: `lie between 1 and 8`.
    pub fn refusal(&self, value: &SettingValue) -> Option<String> {
        let within = |holds: bool, must: String| (!holds).then_some(must);
        match (self, value) {
            (Kind::Int { min, max }, SettingValue::Int(value)) => {
                let must = match *max {
                    i64::MAX if *min == 0 => "not be negative".to_owned(),
                    i64::MAX => format!("be at least {min}"),
                    max => format!("lie between {min} and {max}"),
                };
                within((min..=max).contains(&value), must)
            }
            (Kind::Odd { max }, SettingValue::Int(value)) => {
                let must = format!("be an odd number from 1 to {max}");
                within((1..=*max).contains(value) && value % 2 == 1, must)
            }
            (Kind::Float(limits), SettingValue::Float(value)) => limits.refusal(*value),
            (Kind::Range, SettingValue::Pair([low, high])) => within(
                low.is_finite() && high.is_finite() && low < high,
                "be [lowest, highest], the lowest first".to_owned(),
            ),
            (Kind::Size(_), SettingValue::Pair(sides)) => {
                let side = |side: &f64| side.fract() == 0.0 && (1.0..=MAX_SIDE).contains(side);
                let must = format!("be [rows, columns], whole numbers from 1 to {MAX_SIDE}");
                within(sides.iter().all(side), must)
            }
            (Kind::Cases, SettingValue::Cases(cases)) => {
                let last = Cases::END - 1;
                let ordered = |range: &Range<u32>| range.start <= range.end;
                let holds = cases.0.iter().all(|r| ordered(r) && r.end <= Cases::END);
                within(
                    holds && !cases.is_empty(),
                    format!("name at least one case, all from 0 to {last} and ascending"),
                )
            }
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Int { min, max: i64::MAX } => write!(f, "whole number from {min} on"),
            Kind::Int { min, max } => write!(f, "whole number, {min} to {max}"),
            Kind::Odd { max } => write!(f, "odd whole number, 1 to {max}"),
            Kind::Float(limits) if *limits == Limits::ANY => f.write_str("number"),
            Kind::Float(limits) => write!(f, "number; must {limits}"),
            Kind::Bool => f.write_str("true or false"),
            Kind::Word(words) => f.write_str(&words.join(", ")),
            Kind::Circuit => f.write_str("name of a circuit"),
            Kind::Range => f.write_str("[lowest, highest]"),
            Kind::Size(words) => {
                f.write_str(&[&["[rows, columns]"][..], words].concat().join(", "))
            }
            Kind::Cases => f.write_str("case numbers: 0..180, or [0..150, 160]"),
            Kind::Path(words) => f.write_str(&[&["\"PATH\""][..], words].concat().join(", ")),
            Kind::Other(words) => f.write_str(words),
        }
    }
}

/// The value of a setting after evaluation.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingValue {
    /// A whole number.
    Int(i64),
    /// A real number.
    Float(f64),
    /// A truth value.
    Bool(bool),
    /// A word.
    Word(String),
    /// The gates of a circuit.
    Circuit(Ansatz),
    /// Two numbers.
    Pair([f64; 2]),
    /// Case numbers.
    Cases(Cases),
    /// A text, such as a path.
    Text(String),
}

/// As the language writes it.
impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 1e300 would have 301 digits.
        let number = |value: &f64| match value.abs() {
            1e-4..1e6 | 0.0 => value.to_string(),
            _ => format!("{value:e}"),
        };
        match self {
            SettingValue::Int(value) => value.fmt(f),
            SettingValue::Float(value) => f.write_str(&number(value)),
            SettingValue::Bool(value) => value.fmt(f),
            SettingValue::Word(word) => f.write_str(word),
            SettingValue::Circuit(_) => f.write_str("a circuit"),
            SettingValue::Pair([a, b]) => write!(f, "[{}, {}]", number(a), number(b)),
            SettingValue::Cases(cases) => cases.fmt(f),
            SettingValue::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// A setting: what may be given, and what happens where it is not.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Its default, in .hqc syntax; without one it must be given. `auto` means that the layer derives it.
    pub default: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Setting {
    /// The value of the default; `None` where there is none, or where it is `auto`.
    pub fn default_value(&self) -> Option<SettingValue> {
        let text = self.default.filter(|text| *text != "auto")?;
        match self.kind {
            Kind::Int { .. } => text.parse().ok().map(SettingValue::Int),
            Kind::Float(_) => text.parse().ok().map(SettingValue::Float),
            Kind::Bool => text.parse().ok().map(SettingValue::Bool),
            Kind::Word(_) => Some(SettingValue::Word(text.to_owned())),
            Kind::Circuit => (text == "hqc_tf").then(|| SettingValue::Circuit(Ansatz::hqc_tf())),
            Kind::Odd { .. } => text.parse().ok().map(SettingValue::Int),
            // Only settings of sections are of these kinds; their defaults are typed values.
            Kind::Range | Kind::Size(_) | Kind::Cases | Kind::Path(_) | Kind::Other(_) => None,
        }
    }
}

/// The settings of one call. A setting whose default is `auto` and which was not given is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings(pub BTreeMap<&'static str, SettingValue>);

impl Settings {
    /// A whole number that was given or has a default.
    ///
    /// # Errors
    /// The setting is absent.
    pub fn int(&self, name: &str) -> Result<usize, ShapeError> {
        self.maybe_int(name)
            .ok_or_else(|| ShapeError::new(format!("setting `{name}` is missing")))
    }

    /// A whole number, if it was given.
    pub fn maybe_int(&self, name: &str) -> Option<usize> {
        match self.0.get(name) {
            Some(&SettingValue::Int(value)) => usize::try_from(value).ok(),
            _ => None,
        }
    }

    /// A real number, or 0 when absent.
    pub fn float(&self, name: &str) -> f64 {
        match self.0.get(name) {
            Some(&SettingValue::Float(value)) => value,
            Some(&SettingValue::Int(value)) => value as f64,
            _ => 0.0,
        }
    }

    /// A truth value, or false when absent.
    pub fn bool(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(SettingValue::Bool(true)))
    }

    /// A word, or an empty one when absent.
    pub fn word(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(SettingValue::Word(word)) => word,
            _ => "",
        }
    }

    /// A circuit, if it is there.
    pub fn circuit(&self, name: &str) -> Option<&Ansatz> {
        match self.0.get(name) {
            Some(SettingValue::Circuit(ansatz)) => Some(ansatz),
            _ => None,
        }
    }

    /// These settings, and the defaults of those that are not among them.
    #[must_use]
    pub fn filled<'s>(&self, all: impl IntoIterator<Item = &'s Setting>) -> Settings {
        let mut filled = self.clone();
        for setting in all {
            if let (false, Some(value)) =
                (filled.0.contains_key(setting.name), setting.default_value())
            {
                filled.0.insert(setting.name, value);
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_refuse_what_lies_outside_and_what_f32_cannot_hold() {
        let fraction = Limits::NOT_NEGATIVE.below(1.0);
        assert_eq!(fraction.refusal(0.0), None);
        let words = "lie between 0 and 1, 1 excluded".to_owned();
        assert_eq!(fraction.refusal(1.0), Some(words.clone()));
        assert_eq!(fraction.refusal(-0.5), Some(words));
        assert_eq!(Limits::POSITIVE.refusal(0.0), Some("be above 0".to_owned()));
        assert!(Limits::POSITIVE.refusal(1e-60).is_some());
        assert!(fraction.refusal(1.0 - 1e-12).is_some(), "1 in f32");
        assert_eq!(Limits::ANY.refusal(-3e38), None);
        for value in [1e39, -1e39, 1e-60, f64::NAN, f64::INFINITY] {
            assert!(Limits::ANY.refusal(value).is_some(), "{value}");
        }
    }
}
