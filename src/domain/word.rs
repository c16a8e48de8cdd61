use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::{LazyLock, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

static WORDS: LazyLock<RwLock<HashSet<&'static str>>> = LazyLock::new(RwLock::default);

/// A dimension value (provider, method, sku …) kept once per process, so that a rollup cell holds 16 bytes for it.
///
/// Words are never freed. Their number is bounded by the distinct dimension values of the rollups, which
/// are in memory anyway. The empty word means "not given", never "unknown to us".
///
/// As there is one `Word` for a text, two are compared and hashed by where they lie; only their order reads the text.
#[derive(Clone, Copy)]
pub struct Word(&'static str);

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        // Empty texts may lie anywhere.
        self.0.len() == other.0.len() && (std::ptr::eq(self.0, other.0) || self.0.is_empty())
    }
}

impl Eq for Word {}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let place = if self.0.is_empty() { 0 } else { self.0.as_ptr().addr() };
        state.write_usize(place);
    }
}

impl PartialOrd for Word {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Word {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.0.cmp(other.0) }
    }
}

impl Word {
    /// "Not given".
    pub const NONE: Self = Self("");

    /// The one `Word` for this text.
    pub fn of(text: &str) -> Self {
        if text.is_empty() {
            return Self::NONE;
        }
        // A poisoned lock still holds a valid set: an insert cannot leave it half done.
        if let Some(known) = WORDS.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(text) {
            return Self(known);
        }
        let mut words = WORDS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(known) = words.get(text) {
            return Self(known);
        }
        let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
        words.insert(kept);
        Self(kept)
    }

    /// The text; empty when not given.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// True for "not given".
    pub const fn is_none(self) -> bool {
        self.0.is_empty()
    }
}

impl Deref for Word {
    type Target = str;
    fn deref(&self) -> &str {
        self.0
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
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
    use super::*;

    #[test]
    fn equal_texts_are_one_word() {
        let first = Word::of("alipay");
        let second = Word::of(&String::from("alipay"));
        assert_eq!(first, second);
        assert!(std::ptr::eq(first.as_str(), second.as_str()));
        assert!(Word::of("").is_none());
    }
}
