use askama::Template;
use askama::filters::HtmlSafe;

use super::{percent, push_point, share};

/// How many parts of a whole have a colour; the rest is one grey part.
pub const SHARES_MAX: usize = 4;

/// A lying bar for a table cell, with an optional stroke for the earlier value. Write `{{ bar|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(
    ext = "html",
    source = "<svg width=\"100%\" height=\"12\" aria-hidden=\"true\"><rect class=\"rail\" width=\"100%\" y=\"1\" height=\"10\" rx=\"2\"/><rect class=\"f1\" width=\"{{ width }}\" y=\"1\" height=\"10\" rx=\"2\"/>{% if let Some(x) = before %}<line class=\"was\" x1=\"{{ x }}\" x2=\"{{ x }}\" y1=\"0\" y2=\"12\"/>{% endif %}</svg>"
)]
pub struct Bar {
    width: String,
    before: Option<String>,
}

impl HtmlSafe for Bar {}

impl Bar {
    /// A bar of `part` in a rail of `whole`; nothing below 0, nothing beyond the rail.
    pub fn new(part: i128, whole: i128) -> Self {
        Self { width: percent(share_of(part, whole)), before: None }
    }

    /// Adds a stroke at the earlier value.
    #[must_use]
    pub fn with_before(mut self, part: i128, whole: i128) -> Self {
        self.before = Some(percent(share_of(part, whole)));
        self
    }
}

#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than any rounding here")]
fn share_of(part: i128, whole: i128) -> f64 {
    if whole <= 0 { 0.0 } else { (part as f64 / whole as f64).clamp(0.0, 1.0) }
}

/// A small line without axes for a table cell. Write `{{ spark|safe }}`.
#[derive(Clone, Debug, Template)]
#[template(
    ext = "html",
    source = "<svg class=\"spark\" width=\"80\" height=\"20\" viewBox=\"0 0 80 20\" aria-hidden=\"true\"><path class=\"l1\" d=\"{{ path }}\"/></svg>"
)]
pub struct Spark {
    pub(super) path: String,
}

impl HtmlSafe for Spark {}

impl Spark {
    /// A line over these values, from zero to the largest.
    pub fn new(values: &[i128]) -> Self {
        let largest = values.iter().copied().max().unwrap_or(0).max(1);
        let last = values.len().saturating_sub(1);
        let mut path = String::new();
        for (index, value) in values.iter().enumerate() {
            let x = 1.0 + 78.0 * share(index, last);
            let y = 18.5 - 17.0 * share_of(*value, largest);
            push_point(&mut path, index == 0, x, y);
        }
        Self { path }
    }
}

/// Parts of one whole as one bar.
#[derive(Clone, Debug)]
pub struct ShareBar {
    pub(super) parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub x: String,
    pub width: String,
    /// 1 to [`SHARES_MAX`], or 0 for the rest.
    pub colour: usize,
    pub name: String,
    pub text: String,
}

impl ShareBar {
    /// A bar of named parts, largest first; what is beyond the fourth becomes one part called `rest`. `text` writes
    /// a part's share. `None` when the whole is nothing.
    pub fn new(parts: &[(String, i128)], rest: &str, text: impl Fn(i128, i128) -> String) -> Option<Self> {
        let whole: i128 = parts.iter().map(|(_, amount)| (*amount).max(0)).sum();
        if whole <= 0 {
            return None;
        }
        let mut kept: Vec<(String, i128, usize)> = Vec::new();
        // One part more than there are colours needs no part for the rest.
        for (index, (name, amount)) in parts.iter().filter(|(_, amount)| *amount > 0).enumerate() {
            if index < SHARES_MAX {
                kept.push((name.clone(), *amount, index + 1));
            } else if let Some((_, sum, _)) = kept.get_mut(SHARES_MAX) {
                *sum += amount;
            } else {
                kept.push((rest.to_owned(), *amount, 0));
            }
        }
        let mut before = 0;
        let parts = kept
            .into_iter()
            .map(|(name, amount, colour)| {
                let part = Part {
                    x: percent(share_of(before, whole)),
                    width: percent(share_of(amount, whole)),
                    colour,
                    name,
                    text: text(amount, whole),
                };
                before += amount;
                part
            })
            .collect();
        Some(Self { parts })
    }
}

/// Values by row (weekday) and hour as darker and lighter cells.
#[derive(Clone, Debug)]
pub struct HeatStrip {
    pub(super) rows: Vec<HeatRow>,
    pub(super) hours: Vec<(String, String)>,
    pub(super) height: usize,
    pub(super) label_y: usize,
}

#[derive(Clone, Debug)]
pub(super) struct HeatRow {
    pub name: String,
    pub y: usize,
    pub label_y: usize,
    pub cells: Vec<HeatCellDrawn>,
}

#[derive(Clone, Debug)]
pub(super) struct HeatCellDrawn {
    pub x: String,
    pub level: usize,
    pub text: String,
}

/// The value of one hour (`None`: there was no such hour) and how it is read.
pub type HeatValue = (Option<f64>, String);

/// Height of one row.
const HEAT_ROW: usize = 20;

impl HeatStrip {
    /// Named rows of 24 hours each. `None` without any value above 0.
    pub fn new(rows: Vec<(String, Vec<HeatValue>)>) -> Option<Self> {
        let largest =
            rows.iter().flat_map(|(_, cells)| cells).filter_map(|(value, _)| *value).fold(0.0, f64::max);
        if largest <= 0.0 {
            return None;
        }
        let count = rows.len();
        let rows = rows
            .into_iter()
            .enumerate()
            .map(|(row, (name, cells))| HeatRow {
                name,
                y: row * HEAT_ROW,
                label_y: row * HEAT_ROW + 14,
                cells: cells
                    .into_iter()
                    .enumerate()
                    .filter_map(|(hour, (value, text))| {
                        Some(HeatCellDrawn {
                            x: percent(share(hour, 24)),
                            level: level(value?, largest),
                            text,
                        })
                    })
                    .collect(),
            })
            .collect();
        let hours = [0, 6, 12, 18]
            .into_iter()
            .map(|hour| (percent(share(hour, 24)), format!("{hour:02}:00")))
            .collect();
        Some(Self { rows, hours, height: count * HEAT_ROW + 18, label_y: count * HEAT_ROW + 14 })
    }
}

/// 0 for nothing, 1 to 5 for a fifth of the largest each.
fn level(value: f64, largest: f64) -> usize {
    let share = value / largest;
    match share {
        _ if value <= 0.0 => 0,
        _ if share > 0.8 => 5,
        _ if share > 0.6 => 4,
        _ if share > 0.4 => 3,
        _ if share > 0.2 => 2,
        _ => 1,
    }
}
