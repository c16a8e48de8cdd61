/// A counted share: how many of how many, with its interval.
///
/// Rates are made when shown, from counts; there is no rate without both of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Proportion {
    /// How many had the property.
    pub hits: i64,
    /// Out of how many.
    pub of: i64,
}

/// The 97.5 % point of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

impl Proportion {
    /// The share in 0..=1; `None` out of nothing: no data is not 0 %.
    #[expect(clippy::cast_precision_loss, reason = "a share of counts is shown, not computed with")]
    pub fn share(self) -> Option<f64> {
        (self.of > 0).then(|| self.hits as f64 / self.of as f64)
    }

    /// The Wilson 95 % interval in 0..=1; `None` out of nothing.
    ///
    /// Source: Wilson (1927), without continuity correction.
    #[expect(clippy::cast_precision_loss, reason = "an interval is shown, not computed with")]
    pub fn wilson_95(self) -> Option<(f64, f64)> {
        let share = self.share()?;
        let n = self.of as f64;
        let z2 = Z_95 * Z_95;
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z_95 / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        Some(((middle - half).max(0.0), (middle + half).min(1.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_the_table() {
        // METRICS 1.4, item 9.
        for (hits, of, low, high) in
            [(9, 10, 59.6, 98.2), (46, 50, 81.2, 96.8), (184, 200, 87.4, 95.0), (920, 1000, 90.2, 93.5)]
        {
            let (from, until) = Proportion { hits, of }.wilson_95().expect("an interval");
            assert!((from * 100.0 - low).abs() < 0.051, "{hits}/{of}: {from}");
            assert!((until * 100.0 - high).abs() < 0.051, "{hits}/{of}: {until}");
        }
        assert_eq!(Proportion { hits: 0, of: 0 }.share(), None);
        assert_eq!(Proportion::default().wilson_95(), None);
    }
}
