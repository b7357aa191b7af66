//! Text of files on a terminal.

use std::borrow::Cow;

/// Whether a character would move the cursor, change colours or the direction of writing, instead of being seen.
fn is_control(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n') || turns
}

/// A text with its control characters written out, as `\u{1b}`; line breaks stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let escaped = text.chars().fold(String::new(), |mut out, c| {
        match is_control(c) {
            true => out.extend(c.escape_unicode()),
            false => out.push(c),
        }
        out
    });
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(printable("a: é ± 3 x 4\nb"), "a: é ± 3 x 4\nb");
        assert_eq!(
            printable("\x1b[31m\r\t\u{9b}\u{202e}x"),
            "\\u{1b}[31m\\u{d}\\u{9}\\u{9b}\\u{202e}x"
        );
    }
}
