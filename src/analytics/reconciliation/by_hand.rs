//! What people decided, laid over what was computed. Nothing is ever changed in place: actions are only added, and the
//! books with all of them applied are made anew each time.

use crate::domain::{Instant, RecordKey, StoreId};

use super::books::{Class, Closed, DayBooks, Finding};
use super::entry::Entry;

/// What somebody did about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// The two belong together.
    Match,
    /// They do not.
    Unmatch,
    /// The difference is right as it is.
    Accept,
    /// A remark; changes nothing.
    Note,
}

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Match, Self::Unmatch, Self::Accept, Self::Note];

    /// The word in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Unmatch => "unmatch",
            Self::Accept => "accept",
            Self::Note => "note",
        }
    }

    /// Reads [`ActionKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// One action, as it was written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    pub id: i64,
    pub store: StoreId,
    pub kind: ActionKind,
    pub finding: RecordKey,
    /// The other finding, of a match.
    pub other: Option<RecordKey>,
    pub person: String,
    pub reason: String,
    pub at: Instant,
}

/// Applies actions in the order in which they were taken. One whose finding is no longer there changes nothing.
pub fn apply(books: &mut [DayBooks], actions: &[Action]) {
    for action in actions {
        match (action.kind, action.other) {
            (ActionKind::Match, Some(other)) => match_two(books, action.finding, other),
            (ActionKind::Unmatch, _) => unmatch(books, action.finding),
            (ActionKind::Accept, _) => accept(books, action.finding),
            (ActionKind::Match, None) | (ActionKind::Note, _) => {}
        }
    }
}

fn find(books: &mut [DayBooks], id: RecordKey) -> Option<&mut Finding> {
    books.iter_mut().flat_map(|day| &mut day.findings).find(|finding| finding.id == id)
}

fn match_two(books: &mut [DayBooks], one: RecordKey, other: RecordKey) {
    let entry = |finding: &Finding| finding.shop.clone().or_else(|| finding.bill.clone());
    let side = |finding: &Finding| finding.shop.is_some();
    let open = |books: &mut [DayBooks], id| find(books, id).filter(|finding| finding.is_open()).cloned();
    let (Some(first), Some(second)) = (open(books, one), open(books, other)) else { return };
    let (Some(first_entry), Some(second_entry)) = (entry(&first), entry(&second)) else { return };
    if side(&first) == side(&second) {
        return;
    }
    let equal =
        first_entry.currency == second_entry.currency && first_entry.signed() == second_entry.signed();
    let class = if equal { Class::ByHand } else { Class::AmountDiffers };
    let day = first_entry.day.max(second_entry.day);
    for (id, with) in [(one, second_entry), (other, first_entry)] {
        if let Some(finding) = find(books, id) {
            finding.closed = Some(Closed { on: day, class, with: Box::new(with) });
        }
    }
}

fn accept(books: &mut [DayBooks], id: RecordKey) {
    let Some(finding) = find(books, id) else { return };
    let Some(own) = finding.shop.clone().or_else(|| finding.bill.clone()) else { return };
    let with = finding.closed.take().map_or_else(|| Box::new(own.clone()), |closed| closed.with);
    finding.closed = Some(Closed { on: own.day, class: Class::AcceptedByHand, with });
}

/// Takes apart everything that the finding's records and lines are part of.
fn unmatch(books: &mut [DayBooks], id: RecordKey) {
    let Some(finding) = find(books, id).filter(|finding| finding.can_be_parted()) else { return };
    let of = |entry: Option<&Entry>| entry.map(|entry| entry.key);
    let with = finding.closed.as_ref().map(|closed| &*closed.with);
    let keys: Vec<RecordKey> =
        [of(finding.shop.as_ref()), of(finding.bill.as_ref()), of(with)].into_iter().flatten().collect();
    for day in books {
        let mut taken_apart = Vec::with_capacity(day.findings.len());
        for mut finding in std::mem::take(&mut day.findings) {
            let own = [finding.shop.as_ref(), finding.bill.as_ref()];
            if !own.into_iter().flatten().any(|entry| keys.contains(&entry.key)) {
                taken_apart.push(finding);
                continue;
            }
            finding.closed = None;
            taken_apart.extend(halves(&finding));
        }
        day.findings = taken_apart;
    }
}

/// A pair as two findings of one side each; what adds nothing to its day is dropped.
fn halves(finding: &Finding) -> Vec<Finding> {
    let (Some(shop), Some(bill)) = (finding.shop.clone(), finding.bill.clone()) else {
        return vec![finding.clone()];
    };
    let id = RecordKey::of(finding.store, "taken apart", "bill", &finding.id.to_string(), bill.day);
    let record = Finding {
        class: Class::OnlyShop,
        bill: None,
        bill_minor: 0,
        fee_minor: 0,
        because: None,
        ..finding.clone()
    };
    let line = Finding {
        id,
        class: Class::OnlyBill,
        shop: None,
        shop_minor: 0,
        because: None,
        bill: Some(bill),
        ..finding.clone()
    };
    let record = Finding { shop: Some(shop), ..record };
    [record, line].into_iter().filter(|half| half.shop_minor != 0 || half.bill_minor != 0).collect()
}
