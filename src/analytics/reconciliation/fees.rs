use crate::domain::{ContractRate, StoreId};

use super::entry::{Entry, EntryKind};

/// Providers round as they like: a difference of one minor unit on a line says nothing.
const ROUNDING_MINOR: i128 = 1;
/// Millionths.
const PPM: i128 = 1_000_000;

/// The fee of one line beside what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    pub charged: i128,
    pub expected: i128,
}

impl Checked {
    /// Charged less expected.
    pub const fn off(&self) -> i128 {
        self.charged - self.expected
    }

    /// True when rounding explains it.
    pub const fn is_rounding(&self) -> bool {
        self.off().abs() <= ROUNDING_MINOR
    }
}

/// Checks the fee of a sale against the contract in force, else against the rate that the line itself prints; `None` where
/// neither is known. Whether a provider reckons from the order's amount or from what it settles is not laid down
/// everywhere: of the two the one that is nearer counts.
pub fn fee_check(line: &Entry, store: StoreId, contracts: &[ContractRate]) -> Option<Checked> {
    if line.kind != EntryKind::Sale {
        return None;
    }
    let charged = i128::from(line.fee?);
    let settled = line.net.and_then(|net| i64::try_from(i128::from(net) + charged).ok());
    let bases = [Some(line.amount), settled.filter(|settled| *settled > 0)];
    let contract = ContractRate::in_force(contracts, store, line.rail, line.method, line.day);
    let expected = |base: i64| match (contract, line.fee_rate_ppm) {
        (Some(contract), _) => Some(contract.fee_of(base)),
        (None, Some(rate)) => {
            let exact = i128::from(base) * i128::from(rate);
            Some((exact + PPM / 2).div_euclid(PPM))
        }
        (None, None) => None,
    };
    let expected =
        bases.into_iter().flatten().filter_map(expected).min_by_key(|expected| (charged - expected).abs())?;
    Some(Checked { charged, expected })
}
