use std::borrow::Cow;
use std::collections::HashMap;

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;
use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, langid, static_loader};

use super::numbers;

static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "en",
        customise: |bundle| {
            // Isolating marks (U+2068, U+2069) would get into CSV files and searches.
            bundle.set_use_isolating(false);
            bundle.set_formatter(Some(|value, _| match value {
                FluentValue::Number(number) => Some(numbers::plain_decimal(&number.as_string())),
                _ => None,
            }));
        },
    };
}

static ENGLISH: LanguageIdentifier = langid!("en");
static CHINESE: LanguageIdentifier = langid!("zh-Hans");

/// Name of the cookie that remembers a chosen language.
pub const LANGUAGE_COOKIE: &str = "lang";

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// Simplified Chinese.
    Chinese,
    English,
}

impl Language {
    /// Both, in the order of the switch.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// The BCP 47 tag: `zh-Hans` or `en`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-Hans",
            Self::English => "en",
        }
    }

    /// Its own name for itself.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Chinese => "中文",
            Self::English => "English",
        }
    }

    /// The language of a tag; any tag that begins with `zh` or `en` will do.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next()?;
        if primary.eq_ignore_ascii_case("zh") {
            Some(Self::Chinese)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else {
            None
        }
    }

    /// The language to answer in: the cookie's, else the best of `Accept-Language`, else English.
    pub fn of(request: &HttpRequest) -> Self {
        if let Some(chosen) = Self::chosen(request) {
            return chosen;
        }
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        accepted.and_then(Self::accepted).unwrap_or(Self::English)
    }

    /// The language that the reader of this browser chose, if they did.
    pub fn chosen(request: &HttpRequest) -> Option<Self> {
        request.cookie(LANGUAGE_COOKIE).and_then(|cookie| Self::parse(cookie.value()))
    }

    /// The best known language of an `Accept-Language` header.
    fn accepted(header: &str) -> Option<Self> {
        let mut best: Option<(Self, u32)> = None;
        for part in header.split(',') {
            let mut pieces = part.split(';');
            let Some(language) = pieces.next().and_then(Self::parse) else { continue };
            let weight = pieces.find_map(|piece| piece.trim().strip_prefix("q=").map(thousandths));
            let weight = weight.unwrap_or(1000);
            if weight > 0 && best.is_none_or(|(_, known)| weight > known) {
                best = Some((language, weight));
            }
        }
        best.map(|(language, _)| language)
    }

    fn identifier(self) -> &'static LanguageIdentifier {
        match self {
            Self::Chinese => &CHINESE,
            Self::English => &ENGLISH,
        }
    }

    /// The text of a key, or the key itself when there is none (a test holds that there always is one).
    pub fn t(self, key: &str) -> String {
        self.find(key).unwrap_or_else(|| key.to_owned())
    }

    /// The text of a key that may be missing, such as the name of a provider we do not know.
    pub fn find(self, key: &str) -> Option<String> {
        TEXTS.lookup_single_language::<&str>(self.identifier(), key, None).ok()
    }

    /// The text of a key with values for its variables.
    pub fn t_with(self, key: &str, values: &[(&'static str, Value)]) -> String {
        let values: HashMap<Cow<'static, str>, FluentValue<'_>> =
            values.iter().map(|(name, value)| (Cow::Borrowed(*name), value.0.clone())).collect();
        TEXTS.lookup_single_language(self.identifier(), key, Some(&values)).unwrap_or_else(|_| key.to_owned())
    }
}

/// Weight of a language range in thousandths: `0.8` is 800.
fn thousandths(text: &str) -> u32 {
    let digits = text.trim().strip_prefix("0.").unwrap_or(if text.trim() == "0" { "000" } else { "" });
    if digits.is_empty() {
        return 1000;
    }
    format!("{digits:0<3}").chars().take(3).collect::<String>().parse().unwrap_or(0)
}

/// A value put into a text: words as they are, numbers with plural rules and grouping.
#[derive(Clone, Debug)]
pub struct Value(FluentValue<'static>);

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self(FluentValue::String(Cow::Owned(text)))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::from(text.clone())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

macro_rules! value_from_whole {
    ($($kind:ty),+) => {$(
        impl From<$kind> for Value {
            fn from(number: $kind) -> Self {
                Self(FluentValue::from(number))
            }
        }
        impl From<&$kind> for Value {
            fn from(number: &$kind) -> Self {
                Self::from(*number)
            }
        }
    )+};
}
value_from_whole!(i32, u32, i64, u64, usize);

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
