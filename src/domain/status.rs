use serde::{Deserialize, Serialize};

/// Makes a closed set of wire words: `parse`, `as_str`, `ALL`.
macro_rules! wire_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value of a wire word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

wire_words! {
    /// What kind of movement a transaction is; gives the direction of its amount.
    Kind {
        /// A shopper pays.
        Payment = "payment",
        /// The shop gives money back.
        Refund = "refund",
        /// A shopper's bank takes money back.
        Dispute = "dispute",
        /// A deposit or pre-authorization: held, not earned.
        Hold = "hold",
        /// Stored value bought: a liability, not income.
        TopUp = "top_up",
    }
}

wire_words! {
    /// The latest state of a transaction. Which ones a kind may have: [`Status::fits`].
    Status {
        Created = "created", Submitted = "submitted", Pending = "pending", ActionRequired = "action_required",
        Authorized = "authorized", Succeeded = "succeeded", Failed = "failed", Cancelled = "cancelled",
        Expired = "expired", Blocked = "blocked", Underpaid = "underpaid", Overpaid = "overpaid",
        Opened = "opened", EvidenceDue = "evidence_due", Won = "won", Lost = "lost", Accepted = "accepted",
        Held = "held", Captured = "captured", Released = "released",
    }
}

impl Status {
    /// True when a transaction of this kind may have this status.
    pub const fn fits(self, kind: Kind) -> bool {
        use Status::{
            Accepted, ActionRequired, Authorized, Blocked, Cancelled, Captured, Created, EvidenceDue,
            Expired, Failed, Held, Lost, Opened, Overpaid, Pending, Released, Submitted, Succeeded,
            Underpaid, Won,
        };
        match kind {
            Kind::Payment | Kind::TopUp => matches!(
                self,
                Created
                    | Submitted
                    | Pending
                    | ActionRequired
                    | Authorized
                    | Succeeded
                    | Failed
                    | Cancelled
                    | Expired
                    | Blocked
                    | Underpaid
                    | Overpaid
            ),
            Kind::Refund => matches!(self, Pending | Succeeded | Failed | Cancelled),
            Kind::Dispute => matches!(self, Opened | EvidenceDue | Won | Lost | Accepted),
            Kind::Hold => matches!(self, Held | Captured | Released | Failed),
        }
    }

    /// True when no further step is expected. Late changes after it are still taken (`expired` then `succeeded`).
    pub const fn is_terminal(self) -> bool {
        !matches!(
            self,
            Self::Created
                | Self::Submitted
                | Self::Pending
                | Self::ActionRequired
                | Self::Authorized
                | Self::Opened
                | Self::EvidenceDue
                | Self::Held
        )
    }

    /// True when money has moved: a payment paid, a refund given back, a dispute lost or accepted, a hold captured.
    /// An `overpaid` transfer is paid; an `underpaid` one is its own state and not paid.
    pub const fn is_posted(self) -> bool {
        matches!(self, Self::Succeeded | Self::Overpaid | Self::Lost | Self::Accepted | Self::Captured)
    }
}

wire_words! {
    /// Whose fault a failure is.
    FailureClass {
        Customer = "customer", Issuer = "issuer", Risk = "risk", Technical = "technical", Merchant = "merchant",
    }
}

wire_words! {
    /// How shopper and shop met.
    Scene {
        /// The shopper scans the plate.
        StaticQr = "static_qr",
        /// The shop scans the shopper's code.
        Scanner = "scanner",
        MiniProgram = "mini_program", OfficialAccount = "official_account", H5 = "h5", App = "app", Web = "web",
        Face = "face", DeliveryPlatform = "delivery_platform", PosTerminal = "pos_terminal", Other = "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(*status));
        }
        for kind in Kind::ALL {
            assert!(Status::ALL.iter().any(|status| status.fits(*kind) && status.is_posted()));
        }
        assert_eq!(Scene::parse("static_qr"), Some(Scene::StaticQr));
        assert_eq!(Status::parse("paid"), None);
    }
}
