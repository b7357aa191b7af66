//! Settings that are declared once: a field of a struct, its record, its default and its limits in one line.

use std::path::PathBuf;

use crate::cases::Cases;
use crate::setting::{Setting, SettingValue};

/// A value that a setting has.
pub trait Typed: Sized {
    /// The value as settings hold it.
    fn value(&self) -> SettingValue;

    /// The value of a setting; `None` where it is of another kind.
    fn of(value: SettingValue) -> Option<Self>;
}

/// Sees settings one after another, each with its value.
pub trait Visitor {
    /// Reads, changes or checks one setting.
    fn visit<T: Typed>(&mut self, setting: &'static Setting, value: &mut T);
}

/// Declares a struct of settings. A field's documentation is the setting's; then come the field, its type, its default in round
/// brackets and its kind. The text in quotes stands before every name.
///
/// The struct gets a `Default` and a method `visit`, which shows every setting to a [`Visitor`]. Reading a section, checking limits,
/// help and tests are visitors, so none of them can leave a setting out.
macro_rules! settings {
    ($(#[$about:meta])* pub struct $name:ident ($prefix:literal) {
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = ($($default:tt)+) in $kind:expr;)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: $($default)+,)+ }
            }
        }

        impl $name {
            /// Shows every setting, in order.
            pub fn visit(&mut self, visitor: &mut impl Visitor) {
                $({
                    const SETTING: &Setting = &Setting {
                        name: concat!($prefix, stringify!($field)),
                        kind: $kind,
                        default: Some(default_text!($($default)+)),
                        doc: concat!($($doc),+).trim_ascii_start(),
                    };
                    visitor.visit(SETTING, &mut self.$field);
                })+
            }
        }
    };
}

/// A default as the language writes it.
macro_rules! default_text {
    ($words:ident :: $value:ident) => { $words::$value.word() };
    ($($value:tt)+) => { stringify!($($value)+) };
}

pub(super) use {default_text, settings};

impl Typed for bool {
    fn value(&self) -> SettingValue {
        SettingValue::Bool(*self)
    }

    fn of(value: SettingValue) -> Option<bool> {
        match value {
            SettingValue::Bool(value) => Some(value),
            _ => None,
        }
    }
}

impl Typed for f64 {
    fn value(&self) -> SettingValue {
        SettingValue::Float(*self)
    }

    fn of(value: SettingValue) -> Option<f64> {
        match value {
            SettingValue::Float(value) => Some(value),
            SettingValue::Int(value) => Some(value as f64),
            _ => None,
        }
    }
}

/// Whole numbers that are not negative. A setting holds 63 bits, so a larger number of the program counts as the largest.
macro_rules! whole {
    ($($type:ty),+) => {$(
        impl Typed for $type {
            fn value(&self) -> SettingValue {
                SettingValue::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }

            fn of(value: SettingValue) -> Option<$type> {
                match value {
                    SettingValue::Int(value) => value.try_into().ok(),
                    _ => None,
                }
            }
        }
    )+};
}

whole!(usize, u64);

impl Typed for [f64; 2] {
    fn value(&self) -> SettingValue {
        SettingValue::Pair(*self)
    }

    fn of(value: SettingValue) -> Option<[f64; 2]> {
        match value {
            SettingValue::Pair(pair) => Some(pair),
            _ => None,
        }
    }
}

impl Typed for [usize; 2] {
    fn value(&self) -> SettingValue {
        SettingValue::Pair(self.map(|side| side as f64))
    }

    fn of(value: SettingValue) -> Option<[usize; 2]> {
        <[f64; 2]>::of(value).map(|pair| pair.map(|side| side as usize))
    }
}

impl Typed for Cases {
    fn value(&self) -> SettingValue {
        SettingValue::Cases(self.clone())
    }

    fn of(value: SettingValue) -> Option<Cases> {
        match value {
            SettingValue::Cases(cases) => Some(cases),
            _ => None,
        }
    }
}

/// A folder that need not be given: `none`, or a path.
impl Typed for Option<PathBuf> {
    fn value(&self) -> SettingValue {
        match self {
            None => SettingValue::Word("none".to_owned()),
            Some(path) => SettingValue::Text(path.to_string_lossy().into_owned()),
        }
    }

    fn of(value: SettingValue) -> Option<Option<PathBuf>> {
        match value {
            SettingValue::Text(path) => Some(Some(path.into())),
            SettingValue::Word(_) => Some(None),
            _ => None,
        }
    }
}
