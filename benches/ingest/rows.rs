//! The rows that are sent: 200 stores of very unequal size, 6 methods, 30 categories, 5 scenes, random ids.

use chrono::{DateTime, TimeDelta, Utc};

/// Stores of the installation.
pub const STORES: usize = 200;
const METHODS: [&str; 6] = ["wechat_pay", "alipay", "card", "bank_transfer", "cash", "stored_value"];
const SCENES: [&str; 5] = ["static_qr", "scanner", "mini_program", "app", "web"];
const CATEGORIES: u64 = 30;
/// Moments of the rows lie in so many seconds before now, as those of a live sender do.
const SPREAD_S: u64 = 600;

/// A seeded generator (splitmix64): the same rows in every run.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        let place = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(place).copied().unwrap_or_default()
    }

    /// The largest store has an eighth of all rows, the smallest a thousandth.
    fn store(&mut self) -> u64 {
        let even = self.below(1 << 20) as f64 / f64::from(1 << 20);
        let place = (STORES as f64 + 1.0).powf(even) - 1.0;
        (place as u64).min(STORES as u64 - 1)
    }
}

/// The slug of a store.
pub fn slug(store: u64) -> String {
    format!("store-{store:03}")
}

/// Ids of 32 hexadecimal digits, and of 28 and 12 decimal digits, as places in a body.
const HEX: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
const DECIMAL: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnn";
const ORDER: &str = "mmmmmmmmmmmm";

/// A body of rows whose random ids are renewed before every sending: no row is sent twice.
#[derive(Clone)]
pub struct Body {
    pub bytes: Vec<u8>,
    hex: Vec<usize>,
    decimal: Vec<usize>,
    order: Vec<usize>,
}

impl Body {
    /// NDJSON of so many rows.
    pub fn of(rows: usize, random: &mut Random, now: DateTime<Utc>) -> Self {
        let text: String = (0..rows).map(|_| row(random, now)).collect();
        let places = |pattern: &str| text.match_indices(pattern).map(|(at, _)| at).collect();
        let (hex, decimal, order) = (places(HEX), places(DECIMAL), places(ORDER));
        let mut body = Self { bytes: text.into_bytes(), hex, decimal, order };
        body.renew(random, 0);
        body
    }

    /// Writes new ids; `head` bytes were put in front of the body meanwhile.
    pub fn renew(&mut self, random: &mut Random, head: usize) {
        for at in &self.hex {
            for part in self.bytes[head + at..head + at + HEX.len()].chunks_mut(16) {
                let bits = random.next();
                for (place, digit) in part.iter_mut().enumerate() {
                    *digit = b"0123456789abcdef"[((bits >> (4 * place)) & 15) as usize];
                }
            }
        }
        for (places, digits) in [(&self.decimal, DECIMAL.len()), (&self.order, ORDER.len())] {
            for at in places {
                for part in self.bytes[head + at..head + at + digits].chunks_mut(14) {
                    let mut rest = random.next();
                    for digit in part {
                        *digit = b'0' + (rest % 10) as u8;
                        rest /= 10;
                    }
                }
            }
        }
    }
}

fn row(random: &mut Random, now: DateTime<Utc>) -> String {
    let created = now - TimeDelta::milliseconds(random.below(SPREAD_S * 1000).cast_signed());
    let completed = created + TimeDelta::milliseconds(random.below(30_000).cast_signed());
    let at = |moment: DateTime<Utc>| moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
    let method = random.pick(&METHODS);
    let amount = 100 + random.below(100_000);
    let status = if random.below(20) == 0 { "failed" } else { "succeeded" };
    format!(
        "{{\"transaction_id\":\"{HEX}\",\"created_at\":\"{}\",\"status\":\"{status}\",\"amount\":{amount},\
         \"currency\":\"CNY\",\"store\":\"{}\",\"provider\":\"{method}\",\"method\":\"{method}\",\"scene\":\"{}\",\
         \"order_id\":\"o{ORDER}\",\"provider_transaction_id\":\"{DECIMAL}\",\"completed_at\":\"{}\",\"fee\":{},\
         \"items\":[{{\"category\":\"category-{:02}\",\"line_amount\":{amount}}}]}}\n",
        at(created),
        slug(random.store()),
        random.pick(&SCENES),
        at(completed),
        amount * 38 / 10_000,
        random.below(CATEGORIES),
    )
}
