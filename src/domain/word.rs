use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

static WORDS: LazyLock<RwLock<HashMap<&'static str, &'static Entry>>> = LazyLock::new(RwLock::default);

static NOT_GIVEN: Entry = Entry { text: "", head: 0 };

/// A text that is kept once.
struct Entry {
    text: &'static str,
    /// The first eight bytes, the first of them highest, 0 where there are fewer: where two differ, so does the order of
    /// the texts, and most comparisons end here.
    head: u64,
}

impl Entry {
    fn of(text: &'static str) -> Self {
        let head = (0..8)
            .fold(0, |head, place| (head << 8) | u64::from(text.as_bytes().get(place).copied().unwrap_or(0)));
        Self { text, head }
    }
}

/// A dimension value (provider, method, sku …) kept once per process, so that a rollup cell holds 8 bytes for it.
///
/// Words are never freed. Their number is bounded by the distinct dimension values of the rollups, which
/// are in memory anyway. The empty word means "not given", never "unknown to us".
///
/// As there is one entry for a text, two words are compared and hashed by where it lies; only their order reads the text.
#[derive(Clone, Copy)]
pub struct Word(&'static Entry);

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Word {}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(std::ptr::from_ref(self.0).addr());
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other {
            return Ordering::Equal;
        }
        self.0.head.cmp(&other.0.head).then_with(|| self.0.text.cmp(other.0.text))
    }
}

impl Word {
    /// "Not given".
    pub const NONE: Self = Self(&NOT_GIVEN);

    /// The one `Word` for this text.
    pub fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self::NONE;
        }
        // A poisoned lock still holds a valid map: an insert cannot leave it half done.
        if let Some(known) = WORDS.read().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Self(known);
        }
        let mut words = WORDS.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return Self(known);
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        let entry: &'static Entry = Box::leak(Box::new(Entry::of(kept)));
        words.insert(kept, entry);
        Self(entry)
    }

    /// The text; empty when not given.
    pub const fn as_str(self) -> &'static str {
        self.0.text
    }

    /// True for "not given".
    pub const fn is_none(self) -> bool {
        self.0.text.is_empty()
    }
}

impl Deref for Word {
    type Target = str;
    fn deref(&self) -> &str {
        self.0.text
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.text)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.text)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.text)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Self::of(&text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_texts_are_one_word() {
        let first = Word::of("alipay");
        let second = Word::of(&String::from("alipay"));
        assert_eq!(first, second);
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
        assert!(Word::of("").is_none());
        assert_eq!(Word::of(""), Word::NONE);
    }

    proptest! {
        #[test]
        fn words_stand_in_the_order_of_their_texts(one in "[a\\x00é账]{0,10}", other in "[a\\x00é账]{0,10}") {
            prop_assert_eq!(Word::of(&one).cmp(&Word::of(&other)), one.cmp(&other));
        }
    }
}
