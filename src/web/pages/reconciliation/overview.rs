use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::books::{AskedDays, Books};
use super::shown::{DayBar, PARTS, account_name, day_url, signed};
use crate::analytics::reconciliation::{Arrival, Arrived, PayoutSource};
use crate::domain::Currency;
use crate::reports::reconciliation::{AccountRow, Reconciliation, Section};
use crate::web::charts::Bar;
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::kpi::{Kpi, Kpis};
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Payouts listed; what has arrived as it should is not a concern.
const PAYOUTS_LISTED_MAX: usize = 100;

#[derive(Template)]
#[template(path = "pages/reconciliation/overview.html")]
struct OverviewPage<'a> {
    page: &'a Page,
    books: &'a Books,
    title: (String, &'static str),
    sections: Vec<SectionShown>,
    payouts: Vec<PayoutShown>,
    /// Payouts beyond those listed.
    more_payouts: usize,
    bank: String,
    waiting: Option<String>,
    parts: Vec<(String, usize)>,
    import_url: String,
}

struct SectionShown {
    currency: Currency,
    kpis: Kpis,
    accounts: Vec<AccountShown>,
    days: Vec<DayShown>,
    has_exceptions: bool,
    ages: Vec<(String, String, String, Bar)>,
}

struct AccountShown {
    name: String,
    url: String,
    shop: String,
    bill: String,
    difference: String,
    matched: String,
    exceptions: String,
    expected: String,
    arrived: String,
    in_transit: String,
    late: String,
    bills: String,
}

struct DayShown {
    day: String,
    url: String,
    bar: Option<DayBar>,
    difference: String,
    exceptions: String,
}

struct PayoutShown {
    day: String,
    account: String,
    id: String,
    amount: String,
    due: String,
    came: String,
    on: String,
    state: (String, &'static str),
    suggested: bool,
}

/// `GET /s/{store}/reconciliation`.
pub async fn show(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    asked: web::Query<AskedDays>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let books = Books::of(&request, (&viewer, &state), &store, &asked).await?;
    let body =
        web::block(move || render(&books)).await.map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, StatusCode::OK, body))
}

fn render(books: &Books) -> Result<String, WebError> {
    let page = &books.page;
    let report = books.report();
    let order = |one: &&Arrived| (one.arrival == Arrival::Arrived, one.due);
    let mut payouts: Vec<&Arrived> = report.payouts.iter().collect();
    payouts.sort_by_key(order);
    let more_payouts = payouts.len().saturating_sub(PAYOUTS_LISTED_MAX);
    let body = OverviewPage {
        page,
        books,
        title: title(page, &report),
        sections: report.sections.iter().map(|section| section_shown(books, section)).collect(),
        payouts: payouts.into_iter().take(PAYOUTS_LISTED_MAX).map(|one| payout_shown(books, one)).collect(),
        more_payouts,
        bank: bank_text(page, &report),
        waiting: (books.waiting > 0).then(|| page.t_with("recon-waiting", &[("n", books.waiting.into())])),
        parts: PARTS.into_iter().map(|(name, colour)| (page.word("recon-part", name), colour)).collect(),
        import_url: page.area_url(Area::Imports),
    };
    Ok(body.render()?)
}

/// The finding, in a sentence: what matters most comes first.
fn title(page: &Page, report: &Reconciliation) -> (String, &'static str) {
    let join = |of: &dyn Fn(&Section) -> Option<String>| -> Option<String> {
        let all: Vec<String> = report.sections.iter().filter_map(of).collect();
        (!all.is_empty()).then(|| all.join(&page.t("list-comma")))
    };
    let late = join(&|one| one.late.filter(|late| *late != 0).map(|late| page.money(late, one.currency)));
    let stake = join(&|one| (one.exceptions.0 > 0).then(|| page.money(one.exceptions.1, one.currency)));
    let count: u64 = report.sections.iter().map(|one| one.exceptions.0).sum();
    let oldest = report.sections.iter().filter_map(|one| one.oldest).min();
    let missing: u64 = report.sections.iter().map(|one| one.missing_bills).sum();
    let mut said = Vec::new();
    if let (Some(stake), Some(oldest)) = (stake, oldest) {
        let values = [("n", count.into()), ("money", stake.into()), ("day", page.short_day(oldest).into())];
        said.push(page.t_with("recon-title-exceptions", &values));
    }
    if let Some(late) = late {
        said.push(page.t_with("recon-title-late", &[("money", late.into())]));
    }
    if missing > 0 {
        said.push(page.t_with("recon-title-bills", &[("n", missing.into())]));
    }
    if said.is_empty() {
        return (page.t("recon-title-clean"), "");
    }
    (said.join(&page.t("recon-semicolon")), "warn")
}

fn bank_text(page: &Page, report: &Reconciliation) -> String {
    let Some(until) = report.bank_until else { return page.t("recon-no-bank") };
    let mut text = page.t_with("recon-bank-until", &[("day", page.day(until).into())]);
    if report.unexplained > 0 {
        text.push(' ');
        text.push_str(&page.t_with("recon-bank-unexplained", &[("n", report.unexplained.into())]));
    }
    text
}

fn section_shown(books: &Books, section: &Section) -> SectionShown {
    let page = &books.page;
    let currency = section.currency;
    let most = section.ages.iter().map(|age| age.1).max().unwrap_or(0);
    let names = ["recon-age-0", "recon-age-1", "recon-age-2", "recon-age-3"];
    let ages = section.ages.iter().zip(names).map(|((count, money), name)| {
        (page.t(name), page.count(*count), page.money(*money, currency), Bar::new(*money, most))
    });
    let days = section.days.iter().rev().map(|(day, parts)| DayShown {
        day: page.short_day(*day),
        url: day_url(page, *day),
        bar: DayBar::new(page, parts),
        difference: parts
            .difference
            .map_or_else(|| crate::web::numbers::NONE.to_owned(), |gap| signed(page, gap, currency)),
        exceptions: page.count(parts.count),
    });
    SectionShown {
        currency,
        kpis: kpis(books, section),
        accounts: section.accounts.iter().map(|row| account_shown(books, row)).collect(),
        days: days.collect(),
        has_exceptions: section.exceptions.0 > 0,
        ages: ages.collect(),
    }
}

fn kpis(books: &Books, section: &Section) -> Kpis {
    let page = &books.page;
    let currency = section.currency;
    let (count, stake) = section.exceptions;
    let exceptions = format!("{}&cur={}", books.url("/exceptions"), currency.code());
    let matched: i128 = section.days.values().map(|parts| parts.matched).sum();
    let whole: i128 =
        section.days.values().map(|parts| parts.matched + parts.explained + parts.exceptions).sum();
    Kpis::new(
        page,
        vec![
            Kpi::new(page, "recon-expected", page.money(section.expected, currency)),
            Kpi::new(page, "recon-arrived", page.money(section.arrived, currency)),
            Kpi::new(page, "recon-transit", page.money(section.in_transit, currency)),
            Kpi::new(page, "recon-late", page.money(section.late, currency)),
            Kpi::new(page, "recon-exceptions", page.count(count))
                .note(page.t_with("recon-at-stake", &[("money", page.money(stake, currency).into())]))
                .linked(exceptions),
            Kpi::new(page, "recon-matched", page.ratio(matched, whole, 1)),
        ],
    )
}

fn account_shown(books: &Books, row: &AccountRow) -> AccountShown {
    let page = &books.page;
    let sum = &row.sum;
    let currency = sum.currency;
    let days = sum.days_with_bill + sum.days_without_bill;
    let difference = sum.difference();
    AccountShown {
        name: account_name(page, &books.stores, (sum.store, sum.rail, sum.account)),
        url: format!("{}&rail={}&cur={}", books.url("/exceptions"), sum.rail, currency.code()),
        shop: page.money(sum.shop.minor, currency),
        bill: page.money(sum.billed(), currency),
        difference: difference
            .map_or_else(|| crate::web::numbers::NONE.to_owned(), |gap| signed(page, gap, currency)),
        matched: page.ratio(sum.matched.count, sum.compared.count, 1),
        exceptions: page.count(sum.exceptions().0),
        expected: page.money(row.expected, currency),
        arrived: page.money(row.arrived, currency),
        in_transit: page.money(row.in_transit, currency),
        late: page.money(row.late, currency),
        bills: page.t_with("recon-bill-days", &[("n", sum.days_with_bill.into()), ("all", days.into())]),
    }
}

fn payout_shown(books: &Books, one: &Arrived) -> PayoutShown {
    let page = &books.page;
    let payout = &one.payout;
    let tone = match one.arrival {
        Arrival::Arrived => "good",
        Arrival::Differs | Arrival::Missing => "bad",
        Arrival::InTransit => "",
    };
    let mut state = page.word("recon-arrival", one.arrival.as_str());
    if one.days_late > 0 {
        state = page.t_with("recon-arrival-late", &[("state", state.into()), ("n", one.days_late.into())]);
    }
    let id = match payout.source {
        PayoutSource::Net => page.t("recon-payout-net"),
        PayoutSource::Line | PayoutSource::Lines => payout.payout_id.clone(),
    };
    PayoutShown {
        day: page.short_day(payout.day),
        account: account_name(page, &books.stores, (payout.store, payout.rail, payout.account)),
        id,
        amount: page.money(payout.minor, payout.currency),
        due: page.short_day(one.due),
        came: page.money(one.came, payout.currency),
        on: one.on.map_or_else(|| crate::web::numbers::NONE.to_owned(), |day| page.short_day(day)),
        state: (state, tone),
        suggested: one.suggestion.is_some(),
    }
}
