//! What forms share: which field is wrong and why.

use super::page::Page;

/// The fields of a form that were not accepted, each with the key of a sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldErrors(Vec<(&'static str, &'static str)>);

impl FieldErrors {
    /// Notes that a field (by its `name`) is wrong. Only the first reason of a field is kept.
    pub fn add(&mut self, field: &'static str, key: &'static str) {
        if self.of(field).is_none() {
            self.0.push((field, key));
        }
    }

    /// True when every field was accepted.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of what is wrong with a field.
    pub fn of(&self, field: &str) -> Option<&'static str> {
        self.0.iter().find(|(name, _)| *name == field).map(|(_, key)| *key)
    }

    /// Field and sentence, for the summary above the form.
    pub fn sentences(&self, page: &Page) -> Vec<(&'static str, String)> {
        self.0.iter().map(|(field, key)| (*field, page.t(key))).collect()
    }
}

/// A required text of at most `chars_max` characters without control characters, trimmed.
pub fn text(errors: &mut FieldErrors, field: &'static str, value: &str, chars_max: usize) -> String {
    let value = value.trim();
    if value.is_empty() {
        errors.add(field, "form-required");
    } else if value.chars().count() > chars_max || value.chars().any(char::is_control) {
        errors.add(field, "form-too-long");
    }
    value.to_owned()
}
