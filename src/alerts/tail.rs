//! Exact tails of counts, as surprise: −log₁₀ of the probability. No gamma function: each probability follows from
//! the one before it.

#![expect(clippy::cast_precision_loss, reason = "counts below 2^53; probabilities are no money")]

/// Beyond this many pseudo-counts a beta prior is a point, and the beta-binomial a binomial.
const PRIOR_COUNT_MAX: f64 = 1e9;
/// A further term smaller than this share of the sum cannot change the sum.
const NEGLIGIBLE: f64 = 1e-17;

/// −log₁₀ P(X ≥ `k`) for X binomial: `n` tries, each a hit with probability `p`.
///
/// 0 when `k` is 0 (certain), infinite when `k` > `n` (impossible).
pub fn binomial_surprise(k: u64, n: u64, p: f64) -> f64 {
    if p <= 0.0 {
        return if k == 0 { 0.0 } else { f64::INFINITY };
    }
    if p >= 1.0 {
        return if k <= n { 0.0 } else { f64::INFINITY };
    }
    let odds = p / (1.0 - p);
    let first = n as f64 * (-p).ln_1p();
    upper_surprise(k, Some(n), first, |i| (n - i) as f64 / (i + 1) as f64 * odds)
}

/// −log₁₀ P(X ≥ `k`) for X binomial with a probability that itself varies: beta of mean `p` and a standard deviation of
/// `spread` on the logit scale. `spread` 0 is the plain binomial.
pub fn wandering_binomial_surprise(k: u64, n: u64, p: f64, spread: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return binomial_surprise(k, n, p);
    }
    // Variance of the share is (spread · p(1−p))²; a beta of mean p has p(1−p)/(a+b+1).
    let prior = 1.0 / (spread * spread * p * (1.0 - p)) - 1.0;
    if !prior.is_finite() || prior > PRIOR_COUNT_MAX {
        return binomial_surprise(k, n, p);
    }
    let prior = prior.max(0.5);
    let (hits, misses) = (prior * p, prior * (1.0 - p));
    let first: f64 = (0..n).map(|i| ((misses + i as f64) / (prior + i as f64)).ln()).sum();
    upper_surprise(k, Some(n), first, |i| {
        let left = (n - i) as f64;
        left / (i + 1) as f64 * ((i as f64 + hits) / (left - 1.0 + misses))
    })
}

/// −log₁₀ P(X ≥ `k`) for X negative binomial: mean `mean`, variance mean + mean²/`size`.
pub fn negative_binomial_surprise(k: u64, mean: f64, size: f64) -> f64 {
    if mean <= 0.0 {
        return if k == 0 { 0.0 } else { f64::INFINITY };
    }
    let first = -size * (mean / size).ln_1p();
    let share = mean / (size + mean);
    upper_surprise(k, None, first, |i| (i as f64 + size) / (i + 1) as f64 * share)
}

/// −log₁₀ P(no event) where `expected` were due and their rate is gamma with shape `size`: a gap.
pub fn gap_surprise(expected: f64, size: f64) -> f64 {
    size * (expected.max(0.0) / size).ln_1p() / std::f64::consts::LN_10
}

/// Sums the upper tail from `k` on. `first` is ln P(0), `ratio(i)` is P(i+1)/P(i), `most` the largest possible value.
fn upper_surprise(k: u64, most: Option<u64>, first: f64, ratio: impl Fn(u64) -> f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    if most.is_some_and(|most| k > most) {
        return f64::INFINITY;
    }
    let at_k = first + (0..k).map(|i| ratio(i).ln()).sum::<f64>();
    let (mut term, mut sum, mut i) = (1.0_f64, 1.0_f64, k);
    while most.is_none_or(|most| i < most) {
        let step = ratio(i);
        term *= step;
        sum += term;
        i += 1;
        // Past the mode the terms fall at least geometrically.
        if (step < 1.0 && term < sum * NEGLIGIBLE) || !sum.is_finite() {
            break;
        }
    }
    (-(at_k + sum.ln()) / std::f64::consts::LN_10).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-9 * wanted.abs().max(1.0), "{found} is not {wanted}");
    }

    #[test]
    fn binomial_tails_are_those_of_hand_and_table() {
        close(binomial_surprise(6, 6, 0.5), 64_f64.log10());
        close(binomial_surprise(2, 3, 0.5), -0.5_f64.log10());
        // P(X >= 1) = 1 - 0.99^100.
        close(binomial_surprise(1, 100, 0.01), -(1.0 - 0.99_f64.powi(100)).log10());
        // Six failures in a row at 8 %: METRICS 1.5, "already < 1e-6".
        close(binomial_surprise(6, 6, 0.08), -6.0 * 0.08_f64.log10());
        assert!(binomial_surprise(6, 6, 0.08) > 6.0);
        close(binomial_surprise(0, 10, 0.3), 0.0);
        assert!(binomial_surprise(11, 10, 0.3).is_infinite());
    }

    #[test]
    fn a_long_tail_neither_underflows_nor_loses_its_head() {
        // Every one of 10,000 tries at 1 %: 10^-20000 is below what an f64 can hold, its logarithm is not.
        close(binomial_surprise(10_000, 10_000, 0.01), 20_000.0);
        // The whole distribution from 1 on is nearly certain.
        assert!(binomial_surprise(1, 100_000, 0.5) < 1e-9);
        // Symmetry: P(X >= 501) of 1001 fair tosses is one half.
        close(binomial_surprise(501, 1001, 0.5), 2_f64.log10());
    }

    #[test]
    fn a_rate_that_wanders_surprises_less() {
        let steady = wandering_binomial_surprise(30, 200, 0.07, 0.0);
        close(steady, binomial_surprise(30, 200, 0.07));
        let wandering = wandering_binomial_surprise(30, 200, 0.07, 0.3);
        assert!(wandering < steady - 0.5, "{wandering} against {steady}");
        // Beta(1, 1): every count from 0 to n is equally likely, so P(X >= 8) of 9 is 2/10.
        let uniform = 1.0 / (3.0_f64 * 0.25).sqrt();
        close(wandering_binomial_surprise(8, 9, 0.5, uniform), -(0.2_f64).log10());
    }

    #[test]
    fn other_counts() {
        // Size 1 is geometric: P(X >= k) = (mean / (1 + mean))^k.
        close(negative_binomial_surprise(7, 3.0, 1.0), -7.0 * 0.75_f64.log10());
        // A huge size is Poisson: P(X >= 1) = 1 - e^-2.
        assert!((negative_binomial_surprise(1, 2.0, 1e9) + (1.0 - (-2.0_f64).exp()).log10()).abs() < 1e-6);
        close(gap_surprise(9.0, 1.0), 1.0);
        assert!((gap_surprise(9.2, 1e9) - 9.2 / std::f64::consts::LN_10).abs() < 1e-6);
    }
}
