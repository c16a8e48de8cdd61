//! Charts as inline SVG: five marks, no library, no inline style, readable without a script.
//!
//! Text is never stretched: axis labels stand in an SVG of fixed size, the plot beside it takes percents for
//! everything but paths, and paths lie in a nested SVG that alone is scaled. Colours come from classes, so dark
//! theme, forced colours and print need nothing here. Every figure carries its values as a table.

mod axis;
mod marks;
mod series;

use askama::Template;
use askama::filters::HtmlSafe;

use super::page::Page;

pub use axis::Scale;
pub use marks::{Bar, HeatStrip, ShareBar, Spark};
pub use series::{Limit, Series, Values};

/// Most points of a series; a report buckets more coarsely before it gets here.
pub const POINTS_MAX: usize = 400;

/// What is drawn.
#[derive(Clone, Debug)]
pub enum Drawing {
    /// A line over time, or upright bars.
    Series(Box<Series>),
    /// Shares of one whole.
    Share(ShareBar),
    /// Values by weekday and hour.
    Heat(HeatStrip),
}

impl From<Series> for Drawing {
    fn from(series: Series) -> Self {
        Self::Series(Box::new(series))
    }
}

impl From<ShareBar> for Drawing {
    fn from(bar: ShareBar) -> Self {
        Self::Share(bar)
    }
}

impl From<HeatStrip> for Drawing {
    fn from(strip: HeatStrip) -> Self {
        Self::Heat(strip)
    }
}

/// The values of a figure as people read them.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// First the name of the rows, then of each column.
    pub heads: Vec<String>,
    /// First the row's name, then a value for each column.
    pub rows: Vec<Vec<String>>,
}

/// A drawing with what it says, what it measures, and its values as a table. Write `{{ figure|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(path = "parts/figure.html")]
pub struct Figure {
    /// Unique on its page.
    id: String,
    /// What the figure shows, as a sentence.
    title: String,
    /// Measure, unit, population, days.
    about: String,
    drawing: Option<Drawing>,
    table: Table,
    table_label: String,
    none: String,
    link: Option<(String, String)>,
}

impl HtmlSafe for Figure {}

impl Figure {
    /// A figure called `id`, with a sentence that says what it shows and a line that says what it measures.
    /// Without a drawing there was nothing to draw, and the figure says so.
    pub fn new(
        page: &Page,
        id: &str,
        title: String,
        about: String,
        drawing: Option<Drawing>,
        table: Table,
    ) -> Self {
        Self {
            id: id.to_owned(),
            title,
            about,
            drawing,
            table,
            table_label: page.t("chart-table"),
            none: page.t("chart-none"),
            link: None,
        }
    }

    /// Adds a link below: address and text.
    #[must_use]
    pub fn linked(mut self, url: String, text: String) -> Self {
        self.link = Some((url, text));
        self
    }
}

/// An amount of minor units as a number for a chart's height; figures in tables stay exact.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than any rounding here")]
pub fn height_of(minor: i128, exponent: u32) -> f64 {
    minor as f64 / 10_f64.powi(i32::try_from(exponent).unwrap_or(0))
}

/// The next piece of a path: `M` for the first point, `L` for others.
fn push_point(path: &mut String, first: bool, x: f64, y: f64) {
    path.push(if first { 'M' } else { 'L' });
    path.push_str(&pixel(x));
    path.push(' ');
    path.push_str(&pixel(y));
}

/// A coordinate with one decimal place.
fn pixel(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), ToOwned::to_owned)
}

/// A share in 0..=1 as a percent for an SVG attribute.
fn percent(share: f64) -> String {
    format!("{}%", pixel(share * 100.0))
}

/// `index / count` as a share; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "at most a few hundred points")]
fn share(index: usize, count: usize) -> f64 {
    if count == 0 { 0.0 } else { index as f64 / count as f64 }
}

#[cfg(test)]
mod tests;
