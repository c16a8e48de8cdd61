use super::super::numbers;
use super::super::texts::Language;

/// Top of the plot in its SVG.
pub(super) const TOP: f64 = 10.0;
/// Height of the plot.
pub(super) const HEIGHT: f64 = 160.0;

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Amounts and counts: from zero.
    Amount,
    /// Shares in 0..=1, written in percent; may be cut to where the values are (say so beside the figure).
    Share,
}

/// A labelled height.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub y: String,
    pub label_y: String,
    pub label: String,
}

/// A vertical axis: from `low` to `high`, with round numbers between.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis that holds these values. `None` when there are none.
    pub fn of(language: Language, scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return None;
        }
        match scale {
            Scale::Amount => {
                low = low.min(0.0);
                high = high.max(0.0);
            }
            Scale::Share => {
                // A tenth of air, inside what a share can be; wide enough that noise does not look like news.
                let air = ((high - low) * 0.1).max(0.01);
                low = (low - air).max(0.0);
                high = (high + air).min(1.0);
            }
        }
        if high <= low {
            high = low + 1.0;
        }
        let step = round_step((high - low) / 4.0);
        low = (low / step + 1e-9).floor() * step;
        high = (high / step - 1e-9).ceil() * step;
        let mut axis = Self { low, high, ticks: Vec::new() };
        let mut value = low;
        while value <= high + step / 2.0 && axis.ticks.len() < 12 {
            let y = axis.y(value);
            axis.ticks.push(Tick {
                y: super::pixel(y),
                label_y: super::pixel(y + 4.0),
                label: label(language, scale, value, step),
            });
            value += step;
        }
        Some(axis)
    }

    /// The height of a value from the top of the SVG.
    pub fn y(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        TOP + HEIGHT * (1.0 - share.clamp(0.0, 1.0))
    }

    /// The height of zero, or of the foot where zero is not shown.
    pub fn foot(&self) -> f64 {
        self.y(self.low.max(0.0))
    }
}

/// The next round number: 1, 2, 2.5 or 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 2.5, 5.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power)
}

fn label(language: Language, scale: Scale, value: f64, step: f64) -> String {
    match scale {
        Scale::Amount if value.abs() < step / 2.0 => "0".to_owned(),
        Scale::Amount => numbers::compact(language, value),
        Scale::Share => {
            let whole_steps = step >= 0.009_999 && (step * 100.0).fract() < 1e-6;
            let places = usize::from(!whole_steps);
            format!("{:.places$}%", (value * 100.0).max(0.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale, values: &[f64]) -> Vec<String> {
        let axis = Axis::of(Language::English, scale, values.iter().copied()).unwrap();
        axis.ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn axes_have_round_numbers_and_begin_at_zero_for_amounts() {
        assert_eq!(labels(Scale::Amount, &[192_823.0, 544_466.0]), ["0", "200k", "400k", "600k"]);
        assert_eq!(labels(Scale::Amount, &[0.0]), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(labels(Scale::Amount, &[-30.0, 70.0]), ["−50", "−25", "0", "25", "50", "75"]);
        assert_eq!(labels(Scale::Share, &[0.956, 0.972])[0], "94%");
    }

    #[test]
    fn nothing_has_no_axis() {
        assert!(Axis::of(Language::English, Scale::Amount, [f64::NAN].into_iter()).is_none());
        assert!(Axis::of(Language::English, Scale::Share, std::iter::empty()).is_none());
    }
}
