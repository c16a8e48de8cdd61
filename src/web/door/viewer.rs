use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, web};
use subtle::ConstantTimeEq;

use super::forgery::{form_token, same_origin};
use super::session::token_hash_of;
use crate::domain::{Role, Store, StoreId};
use crate::store::Person;
use crate::web::error::WebError;
use crate::web::page::{Area, EVERY_STORE, Page, StoreLink};
use crate::web::state::AppState;
use crate::web::texts::Language;

/// The future of an extractor.
pub(super) type Extracted<T> = Pin<Box<dyn Future<Output = Result<T, WebError>>>>;

/// The state of the app, in an extractor.
pub(super) fn state_of(request: &HttpRequest) -> Result<web::Data<AppState>, WebError> {
    request
        .app_data::<web::Data<AppState>>()
        .cloned()
        .ok_or_else(|| WebError::Internal(anyhow::anyhow!("the app was built without its state")))
}

/// A person who is signed in, and the stores they may see. Nothing of a store is reached but through it.
#[derive(Clone, Debug)]
pub struct Viewer {
    pub person: Person,
    pub session: i64,
    stores: Vec<Store>,
    csrf: String,
    /// Firing alerts that nobody has taken on, by store.
    firing: Vec<(Option<StoreId>, usize)>,
}

impl Viewer {
    /// The stores this person may see, oldest first.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The stores that a path's `{store}` means: one, or with `all` every one this person may see.
    ///
    /// # Errors
    /// [`WebError::NotFound`], the same for a store that is not there and one they may not see.
    pub fn stores_of(&self, slug: &str) -> Result<Vec<&Store>, WebError> {
        if slug == EVERY_STORE {
            return Ok(self.stores.iter().collect());
        }
        let found: Vec<&Store> = self.stores.iter().filter(|store| store.slug == slug).collect();
        if found.is_empty() { Err(WebError::NotFound) } else { Ok(found) }
    }

    /// The one store of this slug.
    ///
    /// # Errors
    /// [`WebError::NotFound`], also for `all`.
    pub fn store(&self, slug: &str) -> Result<&Store, WebError> {
        self.stores.iter().find(|store| store.slug == slug).ok_or(WebError::NotFound)
    }

    /// Refuses everybody but owners.
    ///
    /// # Errors
    /// [`WebError::Forbidden`].
    pub fn require_owner(&self) -> Result<(), WebError> {
        if self.is_owner() { Ok(()) } else { Err(WebError::Forbidden) }
    }

    /// True for owners.
    pub fn is_owner(&self) -> bool {
        self.person.role == Role::Owner
    }

    /// The token that each form of this session carries in its field `csrf`.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Checks the token of a form that was not read by [`super::SignedForm`] (an upload).
    ///
    /// # Errors
    /// [`WebError::Forged`].
    pub fn check_csrf(&self, token: &str) -> Result<(), WebError> {
        let right: bool = token.as_bytes().ct_eq(self.csrf.as_bytes()).into();
        if right { Ok(()) } else { Err(WebError::Forged) }
    }

    /// The context of a page of this viewer; `store` is the slug in the path, or `all`.
    ///
    /// # Errors
    /// [`WebError::NotFound`] when they may not see the store.
    pub fn page(&self, request: &HttpRequest, store: &str, area: Area) -> Result<Page, WebError> {
        self.stores_of(store)?;
        let links = self
            .stores
            .iter()
            .map(|store| StoreLink { slug: store.slug.clone(), name: store.name.clone() })
            .collect();
        let mut page = Page::new(request).signed_in(&self.person.name, &self.csrf).at(store, links, area);
        let shown = self.stores_of(store)?;
        page.alerts_open = self
            .firing
            .iter()
            .filter(|(of, _)| of.map_or(self.is_owner(), |of| shown.iter().any(|store| store.id == of)))
            .map(|(_, count)| count)
            .sum();
        // The switch on the page (a cookie of this browser) goes before what is set for the account.
        if Language::chosen(request).is_none()
            && let Some(language) = Language::parse(&self.person.language)
        {
            page.language = language;
        }
        Ok(page)
    }
}

impl FromRequest for Viewer {
    type Error = WebError;
    type Future = Extracted<Self>;

    /// Finds the session of the request's cookie. A request that changes something must come from our own pages.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = state_of(&request)?;
            let Some(token_hash) = token_hash_of(&request, &state.config) else {
                return Err(WebError::SignIn);
            };
            let found = state.database.session(&token_hash, state.clock.now()).await?;
            let Some(session) = found else { return Err(WebError::SignIn) };
            if !matches!(*request.method(), Method::GET | Method::HEAD) {
                same_origin(&request, &state.config)?;
            }
            let person = session.person;
            let mut stores = state.database.stores().await?;
            stores.retain(|store| {
                store.organisation == person.organisation && person.stores.contains(store.id)
            });
            let csrf = form_token(&state.door.keys.forms, session.id);
            let firing = state.database.firing_counts(state.clock.now()).await?;
            Ok(Self { person, session: session.id, stores, csrf, firing })
        })
    }
}
