use chrono::TimeDelta;

use crate::domain::Instant;

/// Largest body of a notice.
pub const NOTICE_BYTES_MAX: usize = 1 << 20;
/// How far the time in a signature may be from ours: the window that the providers' own libraries use.
pub const CLOCK_WINDOW: TimeDelta = TimeDelta::minutes(5);
/// The same for a copy that the shop's own system forwards, perhaps after it was down for a weekend. What a repeated
/// notice could do wrong is kept out by identity and version, not by the clock; the window only keeps it short.
pub const FORWARDED_WINDOW: TimeDelta = TimeDelta::hours(72);
/// Longest header that is looked at.
const HEADER_BYTES_MAX: usize = 8 << 10;

/// The headers that signatures stand in.
const HEADERS: [&str; 9] = [
    "wechatpay-timestamp",
    "wechatpay-nonce",
    "wechatpay-serial",
    "wechatpay-signature",
    "wechatpay-signature-type",
    "stripe-signature",
    "x-webhook-signature-512",
    "x-webhook-signature-256",
    "content-type",
];

/// The headers of a notice, as far as anybody reads them.
#[derive(Clone, Debug, Default)]
pub struct NoticeHeaders(Vec<(&'static str, String)>);

impl NoticeHeaders {
    /// The names that are asked for.
    pub const NAMES: &'static [&'static str] = &HEADERS;

    /// Those that `value_of` has.
    pub fn gather<'a>(value_of: impl Fn(&'static str) -> Option<&'a str>) -> Self {
        let kept = HEADERS.into_iter().filter_map(|name| {
            let value = value_of(name)?.trim();
            (value.len() <= HEADER_BYTES_MAX).then(|| (name, value.to_owned()))
        });
        Self(kept.collect())
    }

    /// The value of a header, its name in lower case; an empty one is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// What came in, before anything of it is believed.
#[derive(Clone, Copy, Debug)]
pub struct Notice<'a> {
    pub headers: &'a NoticeHeaders,
    /// As it came, to the byte.
    pub body: &'a [u8],
    /// True for a copy that the shop's own system passed on.
    pub forwarded: bool,
    pub now: Instant,
}

impl Notice<'_> {
    /// True when a signature of that time may be believed now.
    pub fn is_in_window(&self, signed_at: Instant) -> bool {
        let window = if self.forwarded { FORWARDED_WINDOW } else { CLOCK_WINDOW };
        (self.now - signed_at).abs() <= window
    }
}
