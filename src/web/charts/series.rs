use super::super::texts::Language;
use super::axis::{Axis, Scale, Tick};
use super::{POINTS_MAX, percent, pixel, push_point, share};

/// A height with a name, drawn across: a contract rate, a threshold.
#[derive(Clone, Debug)]
pub struct Limit {
    pub value: f64,
    pub label: String,
}

/// Values over time, ready to be drawn.
#[derive(Clone, Debug)]
pub struct Series {
    pub(super) upright: bool,
    pub(super) ticks: Vec<Tick>,
    pub(super) foot: String,
    /// Path of the usual range, of the earlier period, of this one.
    pub(super) band: String,
    pub(super) before: String,
    pub(super) now: String,
    pub(super) dots: Vec<Dot>,
    pub(super) bars: Vec<UprightBar>,
    pub(super) limit: Option<(String, String, String)>,
    pub(super) labels: Vec<Label>,
}

#[derive(Clone, Debug)]
pub(super) struct Dot {
    pub x: String,
    pub y: String,
    pub so_far: bool,
}

#[derive(Clone, Debug)]
pub(super) struct UprightBar {
    pub x: String,
    pub width: String,
    pub y: String,
    pub height: String,
    pub partial: bool,
    /// Height of the earlier period's value.
    pub before_y: Option<String>,
    pub x_end: String,
}

#[derive(Clone, Debug)]
pub(super) struct Label {
    pub x: String,
    pub anchor: &'static str,
    pub text: String,
}

/// What a series is made of. All lists are as long as `labels`, or empty.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// `None` is a gap: not known, not begun. Never 0.
    pub now: Vec<Option<f64>>,
    /// The earlier period.
    pub before: Vec<Option<f64>>,
    /// Usual range or interval around `now`.
    pub band: Vec<Option<(f64, f64)>>,
    /// Names of the points; a few are written below.
    pub labels: Vec<String>,
    /// Index of a point that is still running.
    pub running: Option<usize>,
    pub limit: Option<Limit>,
}

/// Paths lie in a box this wide; its height is that of the plot.
const PATH_WIDTH: f64 = 1000.0;

/// How many names of points are written below, on the narrowest screen.
const LABELS_MAX: usize = 6;

impl Series {
    /// A line, with gaps where nothing is known. `None` when nothing is known at all.
    pub fn line(language: Language, scale: Scale, values: &Values) -> Option<Self> {
        let count = values.labels.len().min(POINTS_MAX);
        let axis = axis(language, scale, values)?;
        let mut series = Self::empty(&axis, values);
        let x = |index: usize| share(index, count.saturating_sub(1));
        let point = |index: usize, value: f64| (x(index) * PATH_WIDTH, axis.y(value) - super::axis::TOP);
        // What is still running is a dot of its own: a line down to it would look like a fall.
        let mut whole = values.now.clone();
        let running = values.running.and_then(|index| Some((index, whole.get_mut(index)?.take()?)));
        series.now = path(&whole, &point, &mut |index, value| {
            series.dots.push(Dot { x: percent(x(index)), y: pixel(axis.y(value)), so_far: false });
        });
        series.before = path(&values.before, &point, &mut |_, _| ());
        series.band = area(&values.band, &point);
        if let Some((index, value)) = running {
            series.dots.push(Dot { x: percent(x(index)), y: pixel(axis.y(value)), so_far: true });
        }
        series.labels = labels(&values.labels, |index| {
            let anchor = match index {
                _ if count == 1 => "start",
                0 => "start",
                index if index + 1 == count => "end",
                _ => "middle",
            };
            (x(index), anchor)
        });
        Some(series)
    }

    /// Upright bars, with the earlier period as a stroke across each. `None` when nothing is known at all.
    pub fn upright_bars(language: Language, scale: Scale, values: &Values) -> Option<Self> {
        let count = values.labels.len().min(POINTS_MAX);
        let axis = axis(language, scale, values)?;
        let mut series = Self { upright: true, ..Self::empty(&axis, values) };
        let slot = share(1, count);
        let foot = axis.foot();
        for index in 0..count {
            let now = values.now.get(index).copied().flatten();
            let before = values.before.get(index).copied().flatten();
            if now.is_none() && before.is_none() {
                continue;
            }
            let x = share(index, count);
            let y = now.map_or(foot, |value| axis.y(value));
            series.bars.push(UprightBar {
                x: percent(x + slot * 0.15),
                width: percent(slot * 0.7),
                x_end: percent(x + slot * 0.85),
                y: pixel(y.min(foot)),
                height: pixel((y - foot).abs()),
                partial: values.running == Some(index),
                before_y: before.map(|value| pixel(axis.y(value))),
            });
        }
        series.labels = labels(&values.labels, |index| (share(index, count) + slot / 2.0, "middle"));
        Some(series)
    }

    fn empty(axis: &Axis, values: &Values) -> Self {
        Self {
            upright: false,
            ticks: axis.ticks.clone(),
            foot: pixel(axis.foot()),
            band: String::new(),
            before: String::new(),
            now: String::new(),
            dots: Vec::new(),
            bars: Vec::new(),
            limit: values.limit.as_ref().map(|limit| {
                let y = axis.y(limit.value);
                (pixel(y), pixel(y - 4.0), limit.label.clone())
            }),
            labels: Vec::new(),
        }
    }
}

fn axis(language: Language, scale: Scale, values: &Values) -> Option<Axis> {
    let known = values.now.iter().chain(&values.before).take(2 * POINTS_MAX).flatten().copied();
    let band = values.band.iter().flatten().flat_map(|(low, high)| [*low, *high]);
    known.clone().next()?;
    Axis::of(language, scale, known.chain(band).chain(values.limit.as_ref().map(|limit| limit.value)))
}

/// A path that is lifted over gaps. A point between two gaps has no line: it is handed to `alone`.
fn path(
    values: &[Option<f64>],
    point: &impl Fn(usize, f64) -> (f64, f64),
    alone: &mut impl FnMut(usize, f64),
) -> String {
    let known = |index: usize| values.get(index).copied().flatten().filter(|value| value.is_finite());
    let mut path = String::new();
    for index in 0..values.len().min(POINTS_MAX) {
        let Some(value) = known(index) else { continue };
        let begins = index == 0 || known(index - 1).is_none();
        if begins && known(index + 1).is_none() {
            alone(index, value);
            continue;
        }
        let (x, y) = point(index, value);
        push_point(&mut path, begins, x, y);
    }
    path
}

/// The area between lower and upper values, one piece for each stretch without gaps.
fn area(band: &[Option<(f64, f64)>], point: &impl Fn(usize, f64) -> (f64, f64)) -> String {
    let mut path = String::new();
    for stretch in stretches(band) {
        let upper = stretch.clone().map(|index| (index, true));
        let lower = stretch.rev().map(|index| (index, false));
        for (step, (index, is_upper)) in upper.chain(lower).enumerate() {
            let Some((low, high)) = band.get(index).copied().flatten() else { continue };
            let (x, y) = point(index, if is_upper { high } else { low });
            push_point(&mut path, step == 0, x, y);
        }
        path.push('Z');
    }
    path
}

/// Ranges of indices without gaps, of two or more.
fn stretches(band: &[Option<(f64, f64)>]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (index, value) in band.iter().take(POINTS_MAX).chain(std::iter::once(&None)).enumerate() {
        match (value, start) {
            (Some(_), None) => start = Some(index),
            (None, Some(from)) => {
                if index - from > 1 {
                    found.push(from..index);
                }
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// A few names, evenly chosen.
fn labels(names: &[String], place: impl Fn(usize) -> (f64, &'static str)) -> Vec<Label> {
    let count = names.len().min(POINTS_MAX);
    let stride = count.div_ceil(LABELS_MAX).max(1);
    names
        .iter()
        .enumerate()
        .take(count)
        .step_by(stride)
        .map(|(index, text)| {
            let (x, anchor) = place(index);
            Label { x: percent(x), anchor, text: text.clone() }
        })
        .collect()
}
