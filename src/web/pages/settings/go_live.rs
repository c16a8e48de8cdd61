use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{Days, NaiveDate};

use crate::analytics::reconciliation::{Arrival, Rules};
use crate::analytics::{Evidence, evidences};
use crate::domain::{Word, business_day_of};
use crate::reports::{self, Check, Compare, GO_LIVE_FEE_DAYS, GoLiveRow, Period, Proof, go_live};
use crate::web::asked::{Asked, ask};
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::filters::Filters;
use crate::web::page::{Area, Page};
use crate::web::pages::transactions::TransactionsReport;
use crate::web::respond;
use crate::web::state::AppState;

#[derive(Template)]
#[template(path = "pages/settings/go_live.html")]
struct GoLivePage<'a> {
    page: &'a Page,
    is_owner: bool,
    ways: Vec<WayShown>,
    bounds: Vec<String>,
    no_data_ever: bool,
}

/// One way to pay.
struct WayShown {
    name: String,
    done: String,
    checks: Vec<CheckShown>,
}

struct CheckShown {
    name: String,
    test: ProofShown,
    live: ProofShown,
}

/// What the records say, in words.
struct ProofShown {
    mark: String,
    class: &'static str,
    text: String,
    url: Option<String>,
}

/// `GET /s/{store}/settings/go-live`: what the records show of each way to pay, and what to do next.
async fn show(
    request: HttpRequest,
    slug: web::Path<String>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let filters =
        Filters { period: Period::LastDays(GO_LIVE_FEE_DAYS), compare: Compare::None, ..Filters::default() };
    let mut asked = ask::<TransactionsReport>(&request, &slug, &viewer, &state, filters).await?;
    asked.page = Page {
        several_currencies: asked.page.several_currencies,
        partial_days: asked.page.partial_days.clone(),
        ..viewer.page(&request, &slug, Area::Settings)?
    };
    let is_owner = viewer.is_owner();
    let arrived = arrived(&state, &viewer, &asked).await?;
    let body = web::block(move || html(&asked, is_owner, &arrived));
    let body = body.await.map_err(|error| WebError::Internal(error.into()))??;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// When a payout of a provider was last found on a bank statement: what the pages of reconciliation say.
async fn arrived(
    state: &AppState,
    viewer: &Viewer,
    asked: &Asked,
) -> Result<BTreeMap<Word, NaiveDate>, WebError> {
    let query = &asked.query;
    let today = query
        .stores
        .first()
        .map_or_else(|| query.now.date_naive(), |store| business_day_of(store, query.now));
    let first = today.checked_sub_days(Days::new(GO_LIVE_FEE_DAYS.into())).unwrap_or(today);
    let books = state.database.reconciliation_days(viewer.person.organisation, (first, today)).await?;
    let accounts = state.database.reconciliation_accounts().await?;
    let ids: Vec<_> = query.stores.iter().map(|store| store.id).collect();
    let rules = Rules {
        accounts: accounts.into_iter().filter(|rules| ids.contains(&rules.store)).collect(),
        contracts: Vec::new(),
        stores: query.stores.clone(),
    };
    let of = reports::reconciliation::Asked {
        books: &books,
        rules: &rules,
        stores: &ids,
        days: (first, today),
        now: query.now,
        today,
    };
    let mut arrived = BTreeMap::new();
    for one in reports::reconciliation::reconciliation(&of).payouts {
        if let Some(on) = one.on.filter(|_| one.arrival == Arrival::Arrived) {
            let known = arrived.entry(one.payout.rail).or_insert(on);
            *known = on.max(*known);
        }
    }
    Ok(arrived)
}

fn html(asked: &Asked, is_owner: bool, arrived: &BTreeMap<Word, NaiveDate>) -> Result<String, WebError> {
    let internal = |error: anyhow::Error| WebError::Internal(error);
    let page = &asked.page;
    let stores = asked.query.stores.iter().map(|store| store.id).collect();
    let found = evidences(&asked.lake, &asked.snapshot, &stores)
        .map_err(|error| internal(anyhow::Error::new(error).context("looking for evidence")))?;
    let fees = reports::fees(&asked.rollups, &asked.settings, &asked.query)
        .map_err(|error| internal(error.into()))?;
    let rows = go_live(&found, &fees, &asked.settings, arrived);
    let mut bounds = vec![page.t_with("golive-bound-fees", &[("days", i64::from(GO_LIVE_FEE_DAYS).into())])];
    if let Some(since) = found.since.filter(|_| found.is_cut) {
        bounds.push(page.t_with("golive-bound-rows", &[("day", page.day(since).into())]));
    }
    let shown = GoLivePage {
        ways: rows.iter().map(|row| way_shown(asked, row)).collect(),
        bounds,
        is_owner,
        no_data_ever: asked.has_no_data(),
        page,
    };
    Ok(shown.render()?)
}

fn way_shown(asked: &Asked, row: &GoLiveRow) -> WayShown {
    let page = &asked.page;
    let all = || row.live.iter().chain(&row.test).filter(|proof| !matches!(proof, Proof::DoesNotApply));
    let done = all().filter(|proof| proof.is_done()).count();
    let checks = Check::ALL.iter().zip(row.test.iter().zip(&row.live));
    let (provider, method) = (page.word("provider", &row.provider), page.word("method", &row.method));
    WayShown {
        name: if provider == method || row.provider.is_empty() {
            method
        } else {
            format!("{method} · {provider}")
        },
        done: page.t_with(
            "golive-done",
            &[("done", page.count(done).into()), ("all", page.count(all().count()).into())],
        ),
        checks: checks
            .map(|(check, (test, live))| CheckShown {
                name: page.word("golive", check.as_str()),
                test: proof_shown(asked, *check, test, true),
                live: proof_shown(asked, *check, live, false),
            })
            .collect(),
    }
}

fn proof_shown(asked: &Asked, check: Check, proof: &Proof, in_sandbox: bool) -> ProofShown {
    let page = &asked.page;
    let when = |at| {
        let zone = asked.query.stores.first().map_or(chrono_tz::Tz::UTC, |store| store.zone);
        page.when(at, zone)
    };
    let (mark, class, text, url) = match proof {
        Proof::Shown(evidence) => ("golive-mark-done", "good", when(evidence.at), Some(url(page, evidence))),
        Proof::FeeAsSigned(count) => {
            ("golive-mark-done", "good", page.t_with("golive-fee-agrees", &[("n", (*count).into())]), None)
        }
        Proof::FeeDiffers(count) => {
            let text = page.t_with("golive-fee-differs", &[("n", (*count).into())]);
            ("golive-mark-wrong", "bad", text, Some(page.area_url(Area::Fees)))
        }
        Proof::Arrived(day) => {
            let text = page.t_with("golive-arrived-on", &[("day", page.day(*day).into())]);
            ("golive-mark-done", "good", text, None)
        }
        Proof::PaidOut(at) => {
            let text = page.t_with("golive-paid-out", &[("when", when(*at).into())]);
            ("golive-mark-half", "warn", text, None)
        }
        Proof::Missing => {
            let next = format!("{}{}", check.as_str(), if in_sandbox { "-test" } else { "" });
            ("golive-mark-missing", "warn", page.word("golive-next", &next), None)
        }
        Proof::NotMeasured(what) => ("golive-mark-unknown", "", page.word("golive-unknown", what), None),
        Proof::DoesNotApply => ("golive-mark-none", "", String::new(), None),
    };
    ProofShown { mark: page.language.t(mark), class, text, url }
}

fn url(page: &Page, evidence: &Evidence) -> String {
    format!("{}/{}?day={}", page.area_url(Area::Transactions), evidence.key, evidence.day)
}

/// Routes of the page.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/s/{store}/settings/go-live", web::get().to(show));
}
