//! What each diagnostic code means: the sections of `codes.md`.

/// The text of one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeText {
    /// The code: `setting::range`. `shape::LAYER` is that of every layer.
    pub code: &'static str,
    /// What it means.
    pub meaning: String,
    /// A file that gives it; none where one would be too long, or where hqcc itself is at fault.
    pub example: Option<String>,
    /// What to do about it.
    pub remedy: String,
}

/// The code of shape errors, which end in the name of the layer.
pub const SHAPE: &str = "shape::LAYER";

const SECTIONS: &str = include_str!("codes.md");
const EXAMPLE: &str = "    ";
const REMEDY: &str = "Remedy: ";

/// The texts of all codes, in alphabetic order.
pub fn all() -> impl Iterator<Item = CodeText> {
    SECTIONS.split("\n## ").skip(1).filter_map(|section| {
        let (code, body) = section.split_once('\n')?;
        let (example, text): (Vec<_>, Vec<_>) =
            body.lines().partition(|line| line.starts_with(EXAMPLE));
        let example: Vec<_> = example
            .into_iter()
            .filter_map(|line| line.strip_prefix(EXAMPLE))
            .collect();
        let text = text.join("\n");
        let (meaning, remedy) = text.split_once(REMEDY)?;
        Some(CodeText {
            code: code.trim(),
            meaning: meaning.trim().to_owned(),
            example: (!example.is_empty()).then(|| example.join("\n")),
            remedy: remedy.trim().to_owned(),
        })
    })
}

/// The text of a code.
pub fn of(code: &str) -> Option<CodeText> {
    let code = match code.starts_with("shape::") {
        true => SHAPE,
        false => code,
    };
    all().find(|text| text.code == code)
}
