//! Days that mean the same to a report, side by side.

use chrono::NaiveDate;

use crate::domain::BusinessDay;

/// Neighbouring days, and whether they are told together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub first: BusinessDay,
    pub last: BusinessDay,
    pub together: bool,
}

/// The days from `first` to `last`, both included, divided where their meaning changes. Days without one, and days that
/// are alone with theirs, are told apart.
pub(super) fn stretches<K: PartialEq>(
    first: NaiveDate,
    last: NaiveDate,
    meaning: impl Fn(NaiveDate) -> Option<K>,
) -> Vec<Stretch> {
    let mut alike: Vec<(Option<K>, Stretch)> = Vec::new();
    for day in first.iter_days().take_while(|day| *day <= last) {
        let own = meaning(day);
        match alike.last_mut() {
            Some((known, stretch)) if *known == own => stretch.last = day,
            _ => {
                let together = own.is_some();
                alike.push((own, Stretch { first: day, last: day, together }));
            }
        }
    }
    let mut found: Vec<Stretch> = Vec::new();
    for (_, stretch) in alike {
        let stretch = Stretch { together: stretch.together && stretch.first < stretch.last, ..stretch };
        match found.last_mut().filter(|before| !before.together && !stretch.together) {
            Some(before) => before.last = stretch.last,
            None => found.push(stretch),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_one_meaning_are_told_together_and_the_rest_apart() {
        let day = |number: u32| NaiveDate::from_ymd_opt(2026, 11, number).unwrap();
        let meaning = |of: NaiveDate| match of.format("%d").to_string().parse().unwrap() {
            2_u32 => Some('a'),
            3..=5 => Some('b'),
            6..=8 => Some('c'),
            _ => None,
        };
        let found: Vec<_> =
            stretches(day(1), day(9), meaning).iter().map(|of| (of.first, of.last, of.together)).collect();
        let expected = [
            (day(1), day(2), false),
            (day(3), day(5), true),
            (day(6), day(8), true),
            (day(9), day(9), false),
        ];
        assert_eq!(found, expected);
        assert_eq!(stretches(day(3), day(2), meaning), []);
    }
}
