//! Parts that several pages of reconciliation show alike.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono::NaiveDate;

use super::books::Books;
use crate::analytics::reconciliation::{Class, Entry, Finding};
use crate::domain::{Currency, Store, StoreId, Word};
use crate::reports::reconciliation::DayParts;
use crate::web::page::{Area, Page};

/// One finding in a list.
pub struct FindingRow {
    pub url: String,
    pub day: String,
    pub day_url: String,
    pub class: (String, &'static str),
    pub account: String,
    pub name: String,
    pub shop: String,
    pub bill: String,
    pub difference: String,
    pub stake: String,
    pub age: String,
    pub suggested: bool,
}

/// A finding as a row.
pub fn finding_row(books: &Books, (day, finding): (NaiveDate, &Finding)) -> FindingRow {
    let page = &books.page;
    let class = finding.class_at(books.now);
    let amount = |entry: Option<&Entry>| {
        entry.map_or_else(
            || crate::web::numbers::NONE.to_owned(),
            |entry| page.money(entry.signed(), entry.currency),
        )
    };
    let age = (books.today - day).num_days().max(0);
    FindingRow {
        url: finding_url(books, day, finding),
        day: page.short_day(day),
        day_url: day_url(page, day),
        class: (page.word("recon-class", class.as_str()), tone(class)),
        account: account_name(page, &books.stores, (finding.store, finding.rail, finding.account)),
        name: name_of(page, finding),
        // Of several records those of the first would pass for the sum of all; the page of the finding has them.
        shop: amount(finding.shop.as_ref().filter(|_| finding.count <= 2)),
        bill: amount(finding.bill.as_ref().filter(|_| finding.count <= 2)),
        difference: signed(page, finding.difference(), finding.currency),
        stake: page.money(finding.stake(), finding.currency),
        age: page.t_with("recon-days-old", &[("n", age.into())]),
        suggested: finding.suggestion.is_some() && finding.is_open(),
    }
}

/// What a finding is about: the order, else whatever id there is.
pub fn name_of(page: &Page, finding: &Finding) -> String {
    let entries = [finding.shop.as_ref(), finding.bill.as_ref()];
    let mut ids =
        entries.into_iter().flatten().flat_map(|entry| [&entry.order_id, &entry.provider_id, &entry.id]);
    let id = ids.find(|id| !id.is_empty()).cloned().unwrap_or_default();
    if finding.count > 2 {
        return page.t_with("recon-and-more", &[("name", id.into()), ("n", finding.count.into())]);
    }
    id
}

/// The page of a finding.
pub fn finding_url(books: &Books, day: NaiveDate, finding: &Finding) -> String {
    format!("{}/findings/{}?day={day}", books.page.area_url(Area::Reconciliation), finding.id)
}

/// The page of a source day.
pub fn day_url(page: &Page, day: NaiveDate) -> String {
    format!("{}/days/{day}", page.area_url(Area::Reconciliation))
}

/// `WeChat Pay 1900000109 · Main` where there are several stores.
pub fn account_name(page: &Page, stores: &[Store], (store, rail, account): (StoreId, Word, Word)) -> String {
    let mut name = page.word("provider", rail.as_str());
    if !matches!(account.as_str(), "" | "default") {
        name = format!("{name} {account}");
    }
    let own = stores.iter().find(|one| one.id == store).filter(|_| stores.len() > 1);
    own.map_or_else(|| name.clone(), |store| format!("{name} · {}", store.name))
}

/// An amount with its sign written out.
pub fn signed(page: &Page, minor: i128, currency: Currency) -> String {
    if minor > 0 { format!("+{}", page.money(minor, currency)) } else { page.money(minor, currency) }
}

/// The class of a tag: how pressing it is.
pub const fn tone(class: Class) -> &'static str {
    match class {
        Class::PaidUnknown
        | Class::OnlyBill
        | Class::OnlyShop
        | Class::AmountDiffers
        | Class::CurrencyDiffers
        | Class::Duplicate => "bad",
        Class::FeeDiffers | Class::NoBill | Class::Tolerance => "warn",
        Class::ByHand | Class::AcceptedByHand => "good",
        Class::Late | Class::UnderWay | Class::NotYetDue | Class::OwnBook => "",
    }
}

/// A day as one bar: matched, explained, without a bill, exceptions.
#[derive(Clone, Debug, Template)]
#[template(
    ext = "html",
    source = "<svg width=\"100%\" height=\"14\" role=\"img\" aria-label=\"{{ said }}\">{% for (colour, x, width) in parts %}<rect class=\"f{{ colour }} cut\" x=\"{{ x }}\" width=\"{{ width }}\" height=\"14\"/>{% endfor %}</svg>"
)]
pub struct DayBar {
    said: String,
    parts: Vec<(usize, String, String)>,
}

impl HtmlSafe for DayBar {}

/// Names of the parts of a bar, with their colours.
pub const PARTS: [(&str, usize); 4] = [("matched", 1), ("explained", 3), ("unbilled", 0), ("exceptions", 2)];

impl DayBar {
    /// The bar of a day; nothing when no money moved.
    pub fn new(page: &Page, parts: &DayParts) -> Option<Self> {
        let amounts = [parts.matched, parts.explained, parts.unbilled, parts.exceptions];
        let whole: i128 = amounts.iter().sum();
        if whole <= 0 {
            return None;
        }
        let mut before = 0;
        let mut said = Vec::new();
        let mut drawn = Vec::new();
        for ((name, colour), amount) in PARTS.into_iter().zip(amounts) {
            if amount > 0 {
                drawn.push((colour, percent(before, whole), percent(amount, whole)));
                said.push(format!("{} {}", page.word("recon-part", name), page.ratio(amount, whole, 1)));
            }
            before += amount;
        }
        Some(Self { said: said.join(" · "), parts: drawn })
    }
}

/// A share in percent with two places, without floats.
fn percent(part: i128, whole: i128) -> String {
    let hundredths = part.saturating_mul(10_000) / whole.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
