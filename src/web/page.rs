use actix_web::HttpRequest;
use chrono::NaiveDate;
use chrono_tz::Tz;

use super::assets;
use super::numbers::{self, Figure};
use super::texts::{Language, Value};
use crate::domain::{Currency, Instant, Proportion};

/// Name of the cookie that remembers a chosen theme: `light` or `dark`.
pub const THEME_COOKIE: &str = "theme";

/// The store part of paths that show every store.
pub const EVERY_STORE: &str = "all";

/// Light, dark, or as the device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// Every theme, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word in the cookie and in `data-theme`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word; anything unknown is `Auto`.
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }
}

/// A place in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Area {
    Overview,
    DailyClose,
    Transactions,
    Fees,
    Reconciliation,
    Conversion,
    Categories,
    Customers,
    Alerts,
    Imports,
    Status,
    Settings,
}

impl Area {
    /// Pages about the shop.
    pub const SHOP: [Self; 8] = [
        Self::Overview,
        Self::DailyClose,
        Self::Transactions,
        Self::Fees,
        Self::Reconciliation,
        Self::Conversion,
        Self::Categories,
        Self::Customers,
    ];

    /// Pages about the running of it.
    pub const OPERATIONS: [Self; 4] = [Self::Alerts, Self::Imports, Self::Status, Self::Settings];

    /// Last part of the path, after `/s/{store}/`.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::DailyClose => "daily-close",
            Self::Transactions => "transactions",
            Self::Fees => "fees",
            Self::Reconciliation => "reconciliation",
            Self::Conversion => "conversion",
            Self::Categories => "categories",
            Self::Customers => "customers",
            Self::Alerts => "alerts",
            Self::Imports => "imports",
            Self::Status => "status",
            Self::Settings => "settings",
        }
    }

    /// Key of its name.
    const fn key(self) -> &'static str {
        match self {
            Self::Overview => "nav-overview",
            Self::DailyClose => "nav-daily-close",
            Self::Transactions => "nav-transactions",
            Self::Fees => "nav-fees",
            Self::Reconciliation => "nav-reconciliation",
            Self::Conversion => "nav-conversion",
            Self::Categories => "nav-categories",
            Self::Customers => "nav-customers",
            Self::Alerts => "nav-alerts",
            Self::Imports => "nav-imports",
            Self::Status => "nav-status",
            Self::Settings => "nav-settings",
        }
    }
}

/// A store in the switcher.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreLink {
    /// As in paths.
    pub slug: String,
    pub name: String,
}

/// What every template knows: language, numbers, who is looking, where we are.
///
/// Templates hold it as the field `page` and extend `base.html`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Page {
    pub language: Language,
    pub theme: Theme,
    /// Token for the hidden field `csrf` of every form; empty where nobody is signed in.
    pub csrf: String,
    /// Name of who is signed in. Without it there is no navigation.
    pub user: Option<String>,
    /// Slug of the store shown, or [`EVERY_STORE`].
    pub store: String,
    /// Stores this person may see.
    pub stores: Vec<StoreLink>,
    /// The place in the navigation; `None` on pages that have none (signing in, errors).
    pub area: Option<Area>,
    /// Alerts that are firing, for the number beside the link.
    pub alerts_open: usize,
    /// True when amounts of several currencies are visible: they are then written with their codes.
    pub several_currencies: bool,
    /// Days of which some rows cannot be read now: whatever is made from rows must say so.
    pub partial_days: Vec<NaiveDate>,
    /// Path and query of this request.
    pub url: String,
}

/// Days without all their rows that a notice names; more are counted.
const PARTIAL_DAYS_NAMED_MAX: usize = 7;

impl Page {
    /// A page for this request, for nobody in particular.
    pub fn new(request: &HttpRequest) -> Self {
        let theme = request.cookie(THEME_COOKIE).map(|cookie| Theme::parse(cookie.value()));
        Self {
            language: Language::of(request),
            theme: theme.unwrap_or_default(),
            csrf: String::new(),
            user: None,
            store: EVERY_STORE.to_owned(),
            stores: Vec::new(),
            area: None,
            alerts_open: 0,
            several_currencies: false,
            partial_days: Vec::new(),
            url: request.uri().path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        }
    }

    /// Adds who is looking and the token of their forms.
    #[must_use]
    pub fn signed_in(mut self, name: &str, csrf: &str) -> Self {
        self.user = Some(name.to_owned());
        csrf.clone_into(&mut self.csrf);
        self
    }

    /// Adds where we are: the store of the path, the stores to choose from, the place in the navigation.
    #[must_use]
    pub fn at(mut self, store: &str, stores: Vec<StoreLink>, area: Area) -> Self {
        store.clone_into(&mut self.store);
        self.stores = stores;
        self.area = Some(area);
        self
    }

    /// Everything about this page that is not its report, as one text for an `ETag`.
    pub(super) fn fingerprint(&self) -> String {
        format!("{self:?}")
    }

    /// The text of a key.
    pub fn t(&self, key: &str) -> String {
        self.language.t(key)
    }

    /// The text of a key with values: `page.t_with("alerts-open", &[("n", count.into())])`.
    pub fn t_with(&self, key: &str, values: &[(&'static str, Value)]) -> String {
        self.language.t_with(key, values)
    }

    /// The name of a word of a set (`provider`, `method`, `scene`, `status` …): the text of `{set}-{word}`, the
    /// word itself when we have no name for it, `{set}-none` or "not given" when it is empty.
    pub fn word(&self, set: &str, word: &str) -> String {
        if word.is_empty() {
            return self.language.find(&format!("{set}-none")).unwrap_or_else(|| self.t("word-none"));
        }
        self.language.find(&format!("{set}-{word}")).unwrap_or_else(|| word.to_owned())
    }

    /// The text of `{set}-{index}`, e.g. a weekday's name (Monday is 0).
    pub fn numbered(&self, set: &str, index: usize) -> String {
        self.language.t(&format!("{set}-{index}"))
    }

    /// An amount of minor units; "–" when not known.
    pub fn money(&self, minor: impl Figure, currency: Currency) -> String {
        numbers::money(minor, currency, self.several_currencies)
    }

    /// A whole number; "–" when not known.
    pub fn count(&self, figure: impl Figure) -> String {
        numbers::count(figure)
    }

    /// `part` of `whole` in percent, exact; "–" of nothing.
    pub fn ratio(&self, part: impl Figure, whole: impl Figure, places: u8) -> String {
        numbers::ratio(part, whole, places)
    }

    /// A counted share in percent; "–" of nothing.
    pub fn percent(&self, proportion: Proportion, places: u8) -> String {
        numbers::ratio(proportion.hits, proportion.of, places)
    }

    /// A share in 0..=1 in percent; "–" when not known.
    pub fn share(&self, share: Option<f64>, places: u8) -> String {
        numbers::share(share, places)
    }

    /// The 95 % interval of a counted share: `95.6–97.2%`.
    pub fn interval(&self, proportion: Proportion) -> String {
        proportion.wilson_95().map_or_else(
            || numbers::NONE.to_owned(),
            |(low, high)| format!("{:.1}–{:.1}%", low * 100.0, high * 100.0),
        )
    }

    /// A rate in millionths in percent.
    pub fn rate_ppm(&self, ppm: impl Figure) -> String {
        numbers::rate_ppm(ppm)
    }

    /// The change from `before` to `now` in percent: `+9.8%`; "–" when either is not known or before was nothing.
    pub fn delta(&self, now: impl Figure, before: impl Figure) -> String {
        let (Some(now), Some(before)) = (now.figure(), before.figure()) else {
            return numbers::NONE.to_owned();
        };
        numbers::signed_ratio(now - before, before.checked_abs().unwrap_or(i128::MAX), 1)
            .unwrap_or_else(|| numbers::NONE.to_owned())
    }

    /// The change of a share in percentage points: `−0.7 pp`, `−0.7 个百分点`.
    pub fn delta_points(&self, now: Option<f64>, before: Option<f64>) -> String {
        numbers::points(now, before).map_or_else(
            || numbers::NONE.to_owned(),
            |points| self.t_with("number-points", &[("points", points.into())]),
        )
    }

    /// A day: `31 Oct 2026`, `2026年10月31日`.
    pub fn day(&self, day: NaiveDate) -> String {
        numbers::day(self.language, day)
    }

    /// A day without its year.
    pub fn short_day(&self, day: NaiveDate) -> String {
        numbers::short_day(self.language, day)
    }

    /// What must be said beside rows of days that have a file which cannot be read; `None` when all are there.
    pub fn partial_notice(&self) -> Option<String> {
        if self.partial_days.is_empty() {
            return None;
        }
        let named: Vec<String> =
            self.partial_days.iter().take(PARTIAL_DAYS_NAMED_MAX).map(|day| self.day(*day)).collect();
        let more = self.partial_days.len().saturating_sub(PARTIAL_DAYS_NAMED_MAX);
        let days = named.join(&self.t("list-comma"));
        Some(self.t_with("partial-notice", &[("days", days.into()), ("more", more.into())]))
    }

    /// Days from `first` to `last`, both in.
    pub fn days(&self, first: NaiveDate, last: NaiveDate) -> String {
        numbers::days(self.language, first, last)
    }

    /// An instant in a zone: `31 Oct 2026 23:58`.
    pub fn when(&self, at: Instant, zone: Tz) -> String {
        numbers::when(self.language, at, zone)
    }

    /// The time of day of an instant in a zone.
    pub fn time(&self, at: Instant, zone: Tz) -> String {
        numbers::time(at, zone)
    }

    /// Milliseconds as a length of time.
    pub fn length_of_time(&self, ms: u64) -> String {
        numbers::length_of_time(self.language, ms)
    }

    /// URL of an embedded file of `static/`, with its hash.
    pub fn asset(&self, name: &str) -> String {
        assets::url(name)
    }

    /// Name of a place.
    pub fn area_name(&self, area: Area) -> String {
        self.t(area.key())
    }

    /// Link to a place in the store shown.
    pub fn area_url(&self, area: Area) -> String {
        format!("/s/{}/{}", self.store, area.path())
    }

    /// True when this is the place shown.
    pub fn is_at(&self, area: Area) -> bool {
        self.area == Some(area)
    }

    /// Name of the store shown.
    pub fn store_name(&self) -> String {
        self.stores
            .iter()
            .find(|store| store.slug == self.store)
            .map_or_else(|| self.t("nav-every-store"), |store| store.name.clone())
    }

    /// This page for another store, with the same filters.
    pub fn url_of_store(&self, slug: &str) -> String {
        let area = self.area.unwrap_or(Area::Overview);
        let query = self.url.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
        format!("/s/{slug}/{}{query}", area.path())
    }

    /// Link that changes the language and comes back here.
    pub fn language_url(&self, language: Language) -> String {
        format!("/language/{}?back={}", language.tag(), encode(&self.url))
    }

    /// Link that changes the theme and comes back here.
    pub fn theme_url(&self, theme: Theme) -> String {
        format!("/theme/{}?back={}", theme.as_str(), encode(&self.url))
    }

    /// The other language.
    pub fn other_language(&self) -> Language {
        match self.language {
            Language::Chinese => Language::English,
            Language::English => Language::Chinese,
        }
    }
}

/// Percent-encodes a text for one value of a query.
pub fn encode(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use askama::Template;

    use super::*;

    fn page(uri: &str) -> Page {
        let request = TestRequest::with_uri(uri).insert_header(("Accept-Language", "zh")).to_http_request();
        let stores = vec![StoreLink { slug: "main".into(), name: "总店".into() }];
        Page::new(&request).at("main", stores, Area::Fees)
    }

    #[derive(Template)]
    #[template(
        ext = "html",
        source = "{% extends \"base.html\" %}{% block title %}T{% endblock %}{% block main %}<p>Body</p>{% endblock %}"
    )]
    struct Bare {
        page: Page,
    }

    #[test]
    fn the_frame_has_navigation_only_for_who_is_signed_in() {
        let alone = Bare { page: Page::new(&TestRequest::with_uri("/sign-in").to_http_request()) };
        let html = alone.render().unwrap();
        assert!(html.contains("<title>T · Tillwatch</title>") && html.contains("<p>Body</p>"));
        assert!(!html.contains("<nav") && !html.contains(" style=") && !html.contains("<script>"));
        let mut page = page("/s/main/fees").signed_in("Wang <i>", "token");
        page.alerts_open = 2;
        let html = Bare { page }.render().unwrap();
        assert!(html.contains("href=\"/s/main/fees\" aria-current=\"page\""), "{html}");
        assert!(html.contains("<span class=\"badge\">2") && html.contains("value=\"token\""));
        assert!(html.contains("lang=\"zh-Hans\"") && !html.contains("Wang <i>"));
    }

    #[test]
    fn another_store_keeps_the_filters() {
        let page = page("/s/main/fees?period=7d&method=card");
        assert_eq!(page.url_of_store("all"), "/s/all/fees?period=7d&method=card");
        assert_eq!(page.store_name(), "总店");
        assert_eq!(
            page.language_url(Language::English),
            "/language/en?back=%2Fs%2Fmain%2Ffees%3Fperiod%3D7d%26method%3Dcard"
        );
    }

    #[test]
    fn words_without_a_name_stand_as_they_are() {
        let page = page("/");
        assert_eq!(page.word("provider", "wechat_pay"), "微信支付");
        assert_eq!(page.word("provider", "some_new_one"), "some_new_one");
        assert_eq!(page.word("provider", ""), "未填写");
    }

    #[test]
    fn changes_say_their_direction_and_nothing_is_not_compared() {
        let page = page("/");
        assert_eq!(page.delta(1098_i64, 1000_i64), "+9.8%");
        assert_eq!(page.delta(1098_i64, 0_i64), "–");
        assert_eq!(page.delta(Some(5_i64), None::<i64>), "–");
        assert_eq!(page.delta_points(Some(0.957), Some(0.964)), "−0.7 个百分点");
        assert_eq!(page.interval(Proportion { hits: 9, of: 10 }), "59.6–98.2%");
        assert_eq!(page.interval(Proportion::default()), "–");
    }
}
