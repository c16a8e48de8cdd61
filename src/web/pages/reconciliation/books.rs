use actix_web::HttpRequest;
use chrono::{Days, NaiveDate};
use serde::Deserialize;

use crate::analytics::reconciliation::{Action, DayBooks, Rules, apply};
use crate::domain::{Instant, Store, StoreId, business_day_of};
use crate::reports::reconciliation::{Asked, Reconciliation, reconciliation};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::state::AppState;

/// Days shown when nothing is asked.
const DAYS_SHOWN: u64 = 31;
/// Most days of one page.
const DAYS_MAX: u64 = 92;
/// Payouts and bank lines of so many days around are looked at too.
const AROUND_DAYS: u64 = 15;

/// The days in the address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AskedDays {
    #[serde(default)]
    pub from: String,
    #[serde(default)]
    pub to: String,
}

/// Everything that the pages of reconciliation are made from.
pub struct Books {
    pub page: Page,
    pub stores: Vec<Store>,
    pub ids: Vec<StoreId>,
    /// With what people decided laid over.
    pub kept: Vec<DayBooks>,
    pub actions: Vec<Action>,
    pub rules: Rules,
    pub days: (NaiveDate, NaiveDate),
    pub today: NaiveDate,
    pub now: Instant,
    /// Source days that are not worked on again yet.
    pub waiting: i64,
    /// First and last source day with books at all.
    pub span: Option<(NaiveDate, NaiveDate)>,
    /// A day in the address that is none.
    pub wrong_day: Option<String>,
    pub is_owner: bool,
}

impl Books {
    /// The books of the days in the address, for the stores of the path.
    pub async fn of(
        request: &HttpRequest,
        (viewer, state): (&Viewer, &AppState),
        slug: &str,
        asked: &AskedDays,
    ) -> Result<Self, WebError> {
        let page = viewer.page(request, slug, Area::Reconciliation)?;
        let stores: Vec<Store> = viewer.stores_of(slug)?.into_iter().cloned().collect();
        let now = state.clock.now();
        let today = stores.first().map_or_else(|| now.date_naive(), |store| business_day_of(store, now));
        let (days, wrong_day) = days_of(asked, today);
        let database = &state.database;
        let organisation = viewer.person.organisation;
        let around =
            (back(days.0, AROUND_DAYS), days.1.checked_add_days(Days::new(AROUND_DAYS)).unwrap_or(days.1));
        let mut books = database.reconciliation_days(organisation, around).await?;
        let actions = database.reconciliation_actions(organisation).await?;
        apply(&mut books, &actions);
        let accounts = database.reconciliation_accounts().await?;
        let of_all = |id: StoreId| viewer.stores().iter().any(|store| store.id == id);
        let rules = Rules {
            accounts: accounts.into_iter().filter(|rules| of_all(rules.store)).collect(),
            contracts: Vec::new(),
            stores: stores.clone(),
        };
        let ids = stores.iter().map(|store| store.id).collect();
        let mut loaded = Self {
            page,
            stores,
            ids,
            kept: books,
            actions,
            rules,
            days,
            today,
            now,
            waiting: database.count_reconciliation_due(organisation).await?,
            span: database.reconciliation_span(organisation).await?,
            wrong_day,
            is_owner: viewer.is_owner(),
        };
        loaded.page.several_currencies = loaded.has_several_currencies();
        Ok(loaded)
    }

    /// What a report is asked of.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            books: &self.kept,
            rules: &self.rules,
            stores: &self.ids,
            days: self.days,
            now: self.now,
            today: self.today,
        }
    }

    /// The report over the days asked for.
    pub fn report(&self) -> Reconciliation {
        reconciliation(&self.asked())
    }

    /// The days asked for, as a text.
    pub fn days_text(&self) -> String {
        self.page.days(self.days.0, self.days.1)
    }

    /// What to say of the days that there are books of, where the days asked for have none.
    pub fn span_text(&self) -> Option<String> {
        let (first, last) = self.span?;
        Some(self.page.t_with("recon-empty-span", &[("days", self.page.days(first, last).into())]))
    }

    fn has_several_currencies(&self) -> bool {
        let mut all = self.kept.iter().flat_map(|day| &day.buckets).map(|bucket| bucket.currency);
        let first = all.next();
        all.any(|currency| Some(currency) != first)
    }

    /// The address of a place within reconciliation, with the days asked for.
    pub fn url(&self, place: &str) -> String {
        let (from, to) = self.days;
        format!("{}{place}?from={from}&to={to}", self.page.area_url(Area::Reconciliation))
    }
}

/// The day so many days before.
pub fn back(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(day)
}

/// The days in the address, within limits; and what is no day.
fn days_of(asked: &AskedDays, today: NaiveDate) -> ((NaiveDate, NaiveDate), Option<String>) {
    let mut wrong = None;
    let mut read = |text: &str, otherwise: NaiveDate| match text.trim() {
        "" => otherwise,
        text => text.parse().unwrap_or_else(|_| {
            wrong = Some(text.chars().take(32).collect());
            otherwise
        }),
    };
    let last = read(&asked.to, today);
    let first = read(&asked.from, back(last, DAYS_SHOWN - 1)).min(last);
    ((first.max(back(last, DAYS_MAX - 1)), last), wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_within_limits_and_what_is_none_is_said() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let asked = |from: &str, to: &str| AskedDays { from: from.into(), to: to.into() };
        let today = day("2026-11-25");
        assert_eq!(days_of(&asked("", ""), today), ((day("2026-10-26"), today), None));
        let (days, wrong) = days_of(&asked("2026-11-31", "2026-11-20"), today);
        assert_eq!((days.1, wrong.as_deref()), (day("2026-11-20"), Some("2026-11-31")));
        assert_eq!(days_of(&asked("2020-01-01", "2026-11-25"), today).0.0, day("2026-08-26"));
        assert_eq!(days_of(&asked("2026-12-01", "2026-11-25"), today).0, (today, today));
    }
}
