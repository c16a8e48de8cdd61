/// Why a notice is not believed. It is counted under this word and never kept as a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unverified {
    /// No signature, or one that is not of the provider's form.
    SignatureMissing,
    /// Signed in a way that is not used here.
    SignatureKind,
    /// Signed with a key that was not entered here.
    KeyUnknown,
    /// Another key, or a body that was changed on its way.
    SignatureWrong,
    /// Signed at a time too far from ours; the signature itself is right.
    ClockOff,
    /// What is sealed in it does not open: the APIv3 key is another.
    NotOpened,
    /// Of another merchant account or app than the endpoint's.
    OtherAccount,
    /// Not even the form of such a notice.
    Malformed,
    /// A kind of notice that says too little: Stripe's thin events.
    ThinEvent,
    /// The endpoint has no key or secret in force.
    NoKey,
}

impl Unverified {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::SignatureMissing,
        Self::SignatureKind,
        Self::KeyUnknown,
        Self::SignatureWrong,
        Self::ClockOff,
        Self::NotOpened,
        Self::OtherAccount,
        Self::Malformed,
        Self::ThinEvent,
        Self::NoKey,
    ];

    /// The word in the database, in metrics and in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignatureMissing => "signature_missing",
            Self::SignatureKind => "signature_kind",
            Self::KeyUnknown => "key_unknown",
            Self::SignatureWrong => "signature_wrong",
            Self::ClockOff => "clock_off",
            Self::NotOpened => "not_opened",
            Self::OtherAccount => "other_account",
            Self::Malformed => "malformed",
            Self::ThinEvent => "thin_event",
            Self::NoKey => "no_key",
        }
    }

    /// The reason of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}
