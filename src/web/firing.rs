//! The alerts that fire now, for the number in the navigation and the strip on top of the overview.

use askama::Template;
use askama::filters::HtmlSafe;
use chrono_tz::Tz;

use super::door::Viewer;
use super::error::WebError;
use super::page::{Area, Page};
use super::state::AppState;
use crate::alerts::{AlertState, Episode, Severity, Tongue, Where, sentence};
use crate::domain::StoreId;

/// Most alerts that the strip names.
const NAMED_MAX: usize = 3;

/// Alerts that fire, worst first. Write `{{ firing|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(
    ext = "html",
    source = r#"{% if !named.is_empty() %}<section class="alerts" aria-labelledby="firing"><h2 id="firing">{{ title }}</h2><ul>{% for (url, text) in named %}<li><a href="{{ url }}">{{ text }}</a></li>{% endfor %}</ul></section>{% endif %}"#
)]
pub struct Firing {
    title: String,
    named: Vec<(String, String)>,
}

impl HtmlSafe for Firing {}

impl Firing {
    /// Those of the store in the path (of all their stores with `all`); of the installation for owners only.
    ///
    /// # Errors
    /// [`WebError`] when the database does not answer.
    pub async fn of(state: &AppState, viewer: &Viewer, page: &Page) -> Result<Self, WebError> {
        let stores: Vec<StoreId> = viewer.stores_of(&page.store)?.iter().map(|store| store.id).collect();
        let mut episodes = state.database.episodes_since(state.clock.now()).await?;
        episodes.retain(|episode| {
            let theirs =
                episode.scope.store.map_or_else(|| viewer.is_owner(), |store| stores.contains(&store));
            theirs && episode.state == AlertState::Firing
        });
        episodes.sort_by_key(|episode| (episode.severity != Severity::Critical, episode.onset_at));
        let named = episodes
            .iter()
            .take(NAMED_MAX)
            .map(|episode| {
                (format!("{}/{}", page.area_url(Area::Alerts), episode.id), told(viewer, page, episode))
            })
            .collect();
        let title = page.t_with("firing-title", &[("n", episodes.len().into())]);
        Ok(Self { title, named })
    }
}

fn told(viewer: &Viewer, page: &Page, episode: &Episode) -> String {
    let stores = viewer.stores();
    let store = episode.scope.store.and_then(|id| stores.iter().find(|store| store.id == id));
    let zone = store.or_else(|| stores.first()).map_or(Tz::UTC, |store| store.zone);
    let place = Where { store: store.map_or("", |store| store.name.as_str()), zone };
    sentence(Tongue::of(page.language.tag()), episode, &place).title
}
