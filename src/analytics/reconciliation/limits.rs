use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::RecordKey;

use super::books::{Class, Finding, More};

/// So many findings of one class of one account and day are kept one by one; the rest as a sum. A day on which more
/// differ has one cause, not a thousand.
pub const FINDINGS_OF_CLASS_MAX: u64 = 500;

/// Splits sorted findings into those that are kept and sums of the others.
pub fn limited(findings: Vec<Finding>) -> (Vec<Finding>, Vec<More>) {
    let mut kept = Vec::with_capacity(findings.len());
    let mut counts: BTreeMap<_, u64> = BTreeMap::new();
    let mut more: BTreeMap<_, More> = BTreeMap::new();
    for finding in findings {
        let place = (finding.store, finding.rail, finding.account, finding.currency, finding.class);
        let count = counts.entry(place).or_default();
        *count += 1;
        if *count <= FINDINGS_OF_CLASS_MAX {
            kept.push(finding);
            continue;
        }
        let sum = more.entry(place).or_insert_with(|| none_of(&finding));
        sum.count += finding.count;
        sum.shop_minor += finding.shop_minor;
        sum.bill_minor += finding.bill_minor;
        sum.fee_minor += finding.fee_minor;
    }
    (kept, more.into_values().collect())
}

/// Wrong fees of an account beyond so many lines a day are one finding: they have one cause.
pub const WRONG_FEES_MAX: usize = 20;

/// Puts the wrong fees of an account together where they are many; an example stands for all.
pub fn fees_together(findings: Vec<Finding>, day: NaiveDate) -> Vec<Finding> {
    let (fees, mut kept): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.class == Class::FeeDiffers);
    let mut accounts: BTreeMap<_, Vec<Finding>> = BTreeMap::new();
    for fee in fees {
        accounts.entry((fee.store, fee.rail, fee.account, fee.currency)).or_default().push(fee);
    }
    for ((store, rail, account, currency), fees) in accounts {
        if fees.len() <= WRONG_FEES_MAX {
            kept.extend(fees);
            continue;
        }
        let kind = format!("fees {rail} {}", currency.code());
        let count = u64::try_from(fees.len()).unwrap_or(u64::MAX);
        let fee_minor = fees.iter().map(|fee| fee.fee_minor).sum();
        let id = RecordKey::of(store, account.as_str(), &kind, "", day);
        kept.extend(fees.into_iter().next().map(|example| Finding { id, fee_minor, count, ..example }));
    }
    kept.sort_by_key(|finding| (finding.class, finding.id));
    kept
}

fn none_of(finding: &Finding) -> More {
    let class: Class = finding.class;
    More {
        store: finding.store,
        rail: finding.rail,
        account: finding.account,
        currency: finding.currency,
        class,
        count: 0,
        shop_minor: 0,
        bill_minor: 0,
        fee_minor: 0,
    }
}
