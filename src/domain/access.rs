use std::collections::BTreeSet;

use super::StoreId;

/// The stores that a person or a key may touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSet {
    /// Every store, later ones too.
    All,
    /// These and no other.
    Some(BTreeSet<StoreId>),
}

impl StoreSet {
    /// Exactly these stores; none when there are none.
    pub fn of(stores: impl IntoIterator<Item = StoreId>) -> Self {
        Self::Some(stores.into_iter().collect())
    }

    /// True when the store is one of them.
    pub fn contains(&self, store: StoreId) -> bool {
        match self {
            Self::All => true,
            Self::Some(stores) => stores.contains(&store),
        }
    }
}

/// What an API key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyScope {
    /// Send records in; see nothing.
    Ingest,
    /// Read reports; send nothing.
    Read,
}

impl KeyScope {
    /// Both, in the order of a form.
    pub const ALL: [Self; 2] = [Self::Ingest, Self::Read];

    /// The name in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }

    /// Reads [`KeyScope::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Whether a key's records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyMode {
    Live,
    /// Its records are marked as tests and kept apart from every figure.
    Test,
}

impl KeyMode {
    /// Both, in the order of a form.
    pub const ALL: [Self; 2] = [Self::Live, Self::Test];

    /// The name in the database, in forms and in the key itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }

    /// Reads [`KeyMode::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// What a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything.
    Owner,
    /// See its stores, import, acknowledge; not change stores, keys, rates or people.
    Member,
}

impl Role {
    /// Both, in the order of a form.
    pub const ALL: [Self; 2] = [Self::Owner, Self::Member];

    /// The name in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Member => "member",
        }
    }

    /// Reads [`Role::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}
