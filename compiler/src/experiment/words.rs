//! Enums whose values are words of the language.

/// Declares an enum with the word of each value, which is how the language, JSON and messages write it.
macro_rules! words {
    ($(#[$about:meta])* pub enum $name:ident {
        $($(#[$doc:meta])* $value:ident = $word:literal,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $value,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[$name] = &[$($name::$value),+];

            /// The word of every value.
            pub const WORDS: &[&'static str] = &[$($word),+];

            /// Its word.
            pub const fn word(self) -> &'static str {
                match self {
                    $($name::$value => $word,)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl Typed for $name {
            fn value(&self) -> SettingValue {
                SettingValue::Word(self.word().to_owned())
            }

            fn of(value: SettingValue) -> Option<$name> {
                match value {
                    SettingValue::Word(word) => {
                        $name::ALL.iter().find(|known| known.word() == word).copied()
                    }
                    _ => None,
                }
            }
        }
    };
}

pub(super) use words;
