//! A store's own pattern for its order numbers, by which they are found in texts of bills and bank statements.
//!
//! `#` is a digit, `@` a letter, `*` a digit or letter; a `+` behind one of them means one or more; everything else
//! stands for itself, whatever its case. `SO-#+` finds `SO-20261124`. A found number never begins or ends within a
//! longer run of letters and digits. There is no other repetition, so that a text costs its length times the pattern's.

/// Longest pattern.
pub const PATTERN_CHARS_MAX: usize = 64;
/// So much of a text is looked at.
const TEXT_CHARS_MAX: usize = 512;
/// So many numbers of one text are used.
const FOUND_MAX: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Digit,
    Letter,
    Either,
    Exactly(char),
}

impl Taken {
    fn takes(self, found: char) -> bool {
        match self {
            Self::Digit => found.is_ascii_digit(),
            Self::Letter => found.is_ascii_alphabetic(),
            Self::Either => found.is_ascii_alphanumeric(),
            Self::Exactly(wanted) => found.eq_ignore_ascii_case(&wanted),
        }
    }
}

/// A pattern that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    steps: Vec<(Taken, bool)>,
}

impl Reference {
    /// Reads a pattern; `None` when it is empty, too long, has a `+` behind a plain character, or would find any word
    /// (it needs a digit somewhere).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.chars().count() > PATTERN_CHARS_MAX || text.chars().any(char::is_control) {
            return None;
        }
        let mut steps: Vec<(Taken, bool)> = Vec::new();
        for found in text.chars() {
            let taken = match found {
                '#' => Taken::Digit,
                '@' => Taken::Letter,
                '*' => Taken::Either,
                '+' => {
                    let (last, many) = steps.last_mut()?;
                    if matches!(last, Taken::Exactly(_)) || *many {
                        return None;
                    }
                    *many = true;
                    continue;
                }
                plain => Taken::Exactly(plain),
            };
            steps.push((taken, false));
        }
        let has_number = steps.iter().any(|(taken, _)| matches!(taken, Taken::Digit | Taken::Either));
        has_number.then_some(Self { steps })
    }

    /// The numbers in a text, in its order.
    pub fn find(&self, text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().take(TEXT_CHARS_MAX).collect();
        let mut found = Vec::new();
        let mut at = 0;
        while at < chars.len() && found.len() < FOUND_MAX {
            let inside = at > 0 && is_word(chars.get(at - 1)) && is_word(chars.get(at));
            match (!inside).then(|| self.end_of(&chars, at)).flatten() {
                Some(end) => {
                    found.push(chars[at..end].iter().collect());
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }

    /// Where a number that begins at `at` ends.
    fn end_of(&self, chars: &[char], at: usize) -> Option<usize> {
        let mut end = at;
        for (taken, many) in &self.steps {
            if !chars.get(end).is_some_and(|found| taken.takes(*found)) {
                return None;
            }
            end += 1;
            while *many && chars.get(end).is_some_and(|found| taken.takes(*found)) {
                end += 1;
            }
        }
        let cut = is_word(chars.get(end - 1)) && is_word(chars.get(end));
        (!cut).then_some(end)
    }
}

fn is_word(found: Option<&char>) -> bool {
    found.is_some_and(char::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_texts_and_only_whole_ones() {
        for (pattern, text, expected) in [
            ("SO-#+", "货款 so-1001, SO-1002", vec!["so-1001", "SO-1002"]),
            ("SO-####", "SO-10011 SO-1001", vec!["SO-1001"]),
            ("#+", "ref12 34", vec!["34"]),
            ("@@*+", "ab12cd EREF+xy9", vec!["ab12cd", "EREF", "xy9"]),
            ("INV#+/##", "INV77/26.", vec!["INV77/26"]),
            ("SO-#+", "", vec![]),
        ] {
            assert_eq!(Reference::parse(pattern).unwrap().find(text), expected, "{pattern} in {text}");
        }
    }

    #[test]
    fn patterns_that_find_nothing_or_everything_are_refused() {
        for wrong in ["", "   ", "abc", "@+", "a+#", "#++", "+#", &"#".repeat(65), "#\n#"] {
            assert_eq!(Reference::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_long_text_costs_no_more_than_its_beginning() {
        let text = "1".repeat(1_000_000);
        assert_eq!(Reference::parse("#+#+#+x").unwrap().find(&text), Vec::<String>::new());
    }
}
