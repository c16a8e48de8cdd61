use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::form::box_name;
use crate::domain::{BillKind, BillProvider, Instant, Store};
use crate::intake::fetching::{PlatformKeys, VerifyingKey};
use crate::jobs::{newest_day, oldest_day};
use crate::store::{BillFetch, BillSource, FetchState, Told};
use crate::web::page::Page;
use crate::web::texts::Language;

/// Days of the table.
const DAYS_SHOWN: u64 = 30;
/// Bills of one trouble that are named; more are counted.
const BILLS_NAMED_MAX: usize = 5;

/// The oldest day of the table.
pub(super) fn oldest_shown(now: Instant) -> NaiveDate {
    let newest = newest_day(now);
    newest.checked_sub_days(Days::new(DAYS_SHOWN - 1)).unwrap_or(newest)
}

/// An account with its bills, in words.
pub(super) struct Card {
    pub(super) source: BillSource,
    pub(super) provider: &'static str,
    pub(super) store_slug: String,
    pub(super) store_name: String,
    pub(super) changed: String,
    /// Ids and fingerprints of the provider's keys.
    pub(super) platform: Vec<String>,
    pub(super) kinds: Vec<KindBox>,
    pub(super) oldest: NaiveDate,
    pub(super) newest: NaiveDate,
    pub(super) columns: Vec<String>,
    pub(super) days: Vec<DayRow>,
    pub(super) troubles: Vec<Trouble>,
    /// What a test has just brought, bill by bill.
    pub(super) tested: Option<Vec<Tested>>,
    /// True when some of it did not come, and nothing asks again: the account is switched off.
    pub(super) rests: bool,
}

pub(super) struct KindBox {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) is_ticked: bool,
}

pub(super) struct DayRow {
    pub(super) date: NaiveDate,
    pub(super) day: String,
    /// `None`: not on the list.
    pub(super) cells: Vec<Option<Cell>>,
}

pub(super) struct Cell {
    pub(super) tag: &'static str,
    pub(super) word: String,
    pub(super) import: Option<i64>,
}

/// One cause and the bills that do not come because of it.
pub(super) struct Trouble {
    pub(super) is_bad: bool,
    pub(super) sentence: String,
    /// Days and kinds, the next try.
    pub(super) bills: Vec<String>,
    pub(super) more: usize,
}

pub(super) struct Tested {
    pub(super) kind: String,
    pub(super) cell: Cell,
    pub(super) sentence: String,
}

fn kind_name(page: &Page, kind: BillKind) -> String {
    page.word("bill-kind", kind.as_str())
}

fn said(page: &Page, told: &Told) -> String {
    match page.language {
        Language::Chinese => told.sentence_zh.clone(),
        Language::English => told.sentence_en.clone(),
    }
}

fn cell_of(page: &Page, one: &BillFetch) -> Cell {
    let tag = match one.state {
        FetchState::Fetched => "good",
        FetchState::NoActivity => "",
        FetchState::NoBill if one.payments_known == Some(0) => "",
        FetchState::NoBill | FetchState::Waiting => "warn",
        FetchState::Failed => "bad",
    };
    Cell { tag, word: page.word("fetch-state", one.state.as_str()), import: one.import }
}

/// The card of a source.
pub(super) fn card_of(
    page: &Page,
    store: &Store,
    source: BillSource,
    fetches: &[BillFetch],
    is_tested: bool,
    now: Instant,
) -> Card {
    let newest = newest_day(now);
    let tested = is_tested.then(|| {
        let of_day = fetches.iter().filter(|one| one.day == newest && source.kinds.contains(&one.kind));
        of_day.map(|one| tested_of(page, one)).collect()
    });
    let kinds = source.provider.kinds().iter().map(|kind| KindBox {
        name: box_name(*kind),
        label: kind_name(page, *kind),
        is_ticked: source.kinds.contains(kind),
    });
    let columns = columns_of(&source, fetches);
    let is_waiting = |one: &BillFetch| one.day == newest && one.state == FetchState::Waiting;
    let rests = !source.is_on && fetches.iter().any(is_waiting);
    Card {
        provider: source.provider.as_str(),
        store_slug: store.slug.clone(),
        store_name: store.name.clone(),
        changed: page.when(source.changed_at, store.zone),
        platform: platform_of(&source),
        kinds: kinds.collect(),
        oldest: oldest_day(source.provider, now),
        newest,
        days: days_of(page, fetches, &columns),
        columns: columns.iter().map(|kind| kind_name(page, *kind)).collect(),
        troubles: troubles_of(page, store, fetches, now),
        tested,
        rests,
        source,
    }
}

fn tested_of(page: &Page, one: &BillFetch) -> Tested {
    let is_running = one.state == FetchState::Waiting && one.told == Told::default();
    let sentence = if is_running { page.t("fetching-tested-running") } else { said(page, &one.told) };
    Tested { kind: kind_name(page, one.kind), cell: cell_of(page, one), sentence }
}

fn platform_of(source: &BillSource) -> Vec<String> {
    let public = &source.public;
    match source.provider {
        BillProvider::WechatPay => PlatformKeys::read(&public.platform_keys, &public.platform_id)
            .map(|keys| keys.shown().map(|(id, print)| format!("{id} ({print})")).collect())
            .unwrap_or_default(),
        BillProvider::Alipay => {
            VerifyingKey::read(&public.platform_keys).map(|key| vec![key.fingerprint()]).unwrap_or_default()
        }
    }
}

/// The kinds that are fetched now, and those that were in the last days.
fn columns_of(source: &BillSource, fetches: &[BillFetch]) -> Vec<BillKind> {
    let is_shown =
        |kind: &BillKind| source.kinds.contains(kind) || fetches.iter().any(|one| one.kind == *kind);
    source.provider.kinds().iter().copied().filter(is_shown).collect()
}

fn days_of(page: &Page, fetches: &[BillFetch], columns: &[BillKind]) -> Vec<DayRow> {
    let mut days: BTreeMap<NaiveDate, BTreeMap<BillKind, &BillFetch>> = BTreeMap::new();
    for one in fetches {
        days.entry(one.day).or_default().insert(one.kind, one);
    }
    let row = |(day, bills): (&NaiveDate, &BTreeMap<BillKind, &BillFetch>)| DayRow {
        date: *day,
        day: page.short_day(*day),
        cells: columns.iter().map(|kind| bills.get(kind).map(|one| cell_of(page, one))).collect(),
    };
    days.iter().rev().map(row).collect()
}

/// Every bill that did not come, by what is to be done about it: the same cause once.
fn troubles_of(page: &Page, store: &Store, fetches: &[BillFetch], now: Instant) -> Vec<Trouble> {
    let mut causes: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for one in fetches {
        let payments = one.payments_known.unwrap_or(0);
        let is_exception = matches!(one.state, FetchState::NoBill | FetchState::NoActivity) && payments > 0;
        let (is_bad, sentence) = match one.state {
            _ if is_exception => (true, page.t_with("fetching-exception", &[("n", payments.into())])),
            FetchState::Failed => (true, said(page, &one.told)),
            FetchState::Waiting if one.tries > 0 => (false, said(page, &one.told)),
            _ => continue,
        };
        let mut bill = format!("{} · {}", page.day(one.day), kind_name(page, one.kind));
        if one.state == FetchState::Waiting {
            let at = page.when(one.next_try_at.max(now), store.zone);
            let tries = page.t_with("fetching-tries", &[("n", one.tries.into())]);
            let next = page.t_with("fetching-next", &[("at", at.into())]);
            bill.push_str(&[" · ", &tries, &page.t("list-comma"), &next].concat());
        }
        causes.entry((!is_bad, sentence)).or_default().push(bill);
    }
    let trouble = |((is_mild, sentence), mut bills): ((bool, String), Vec<String>)| {
        let more = bills.len().saturating_sub(BILLS_NAMED_MAX);
        bills.truncate(BILLS_NAMED_MAX);
        Trouble { is_bad: !is_mild, sentence, bills, more }
    };
    causes.into_iter().map(trouble).collect()
}
