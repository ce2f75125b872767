//! Texts from outside, as messages show them.

/// The beginning of a text, with nothing in it that a terminal obeys, short enough for a message.
pub(crate) fn clip(text: &str, characters: usize) -> String {
    let mut shown: String = text.chars().take(characters).flat_map(char::escape_debug).collect();
    if text.chars().nth(characters).is_some() {
        shown.push('…');
    }
    shown
}
