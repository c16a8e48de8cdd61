use std::borrow::Cow;
use std::ops::Deref;

use serde::Serialize;

/// What the texts of a record are: owned, or borrowed from the body they came in.
pub trait Text: Deref<Target = str> + Serialize {}

impl Text for String {}
impl Text for Cow<'_, str> {}
