use std::collections::BTreeMap;

use crate::analytics::{Detail, View};
use crate::domain::{Currency, DayError, Word};

use super::fee_basis::Movements;
use super::figure::Ladder;
use super::overview::currencies;
use super::period::{Compare, Span};
use super::query::{Query, Settings};

/// 日结: what one store took on one business day, and whether the drawer agrees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DailyClose {
    pub spans: Vec<Span>,
    /// The first store's currency first. Empty: no data.
    pub sections: Vec<CloseSection>,
}

/// One currency of a daily close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseSection {
    pub currency: Currency,
    /// 应收 → 优惠 → 实收 → 退款 → 手续费 → 应到账.
    pub total: Ladder,
    /// By method, largest first; adds up to `total`.
    pub methods: Vec<CloseRow>,
    /// By cashier, by name; adds up to `total`. Fees of bills name no cashier and stand under "not given".
    pub operators: Vec<CloseRow>,
    /// By cashier and method.
    pub operator_methods: Vec<(Word, CloseRow)>,
    pub cash: CashCount,
}

/// One method's or cashier's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseRow {
    /// [`Word::NONE`] is "not given".
    pub key: Word,
    pub ladder: Ladder,
}

/// What a person counted in the drawer. Minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CashEntry {
    /// In the drawer before the day.
    pub opening: i128,
    /// In the drawer after it.
    pub counted: i128,
}

/// The drawer against the records. Minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CashCount {
    /// Cash taken.
    pub taken: i128,
    /// Cash given back.
    pub refunded: i128,
    pub entry: Option<CashEntry>,
}

impl CashCount {
    /// What should be in the drawer: opening + taken − given back.
    pub fn expected(&self) -> i128 {
        self.entry.map_or(0, |entry| entry.opening) + self.taken - self.refunded
    }

    /// Above 0: 长款 (over); below: 短款 (short). `None` until counted.
    pub fn over(&self) -> Option<i128> {
        self.entry.map(|entry| entry.counted - self.expected())
    }
}

/// Works out the close of the query's days (one, for a close proper).
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn daily_close(
    view: &View,
    settings: &Settings,
    query: &Query,
    cash: &BTreeMap<Currency, CashEntry>,
) -> Result<DailyClose, DayError> {
    let query = Query { compare: Compare::None, ..query.clone() };
    let spans = query.spans()?;
    let mut cells: BTreeMap<(Word, Word, Word), Ladder> = BTreeMap::new();
    Movements::of(view, &query, settings, &spans).each(Detail::Full, |movement| {
        let key = (movement.key.currency, movement.key.operator, movement.key.method);
        *cells.entry(key).or_default() += movement.ladder;
    });
    let codes = cells.keys().map(|(currency, _, _)| *currency);
    let sections = currencies(&query, codes.chain(cash.keys().map(|currency| Word::of(currency.code()))))
        .into_iter()
        .map(|currency| section(currency, &cells, cash.get(&currency).copied()))
        .collect();
    Ok(DailyClose { spans, sections })
}

fn section(
    currency: Currency,
    cells: &BTreeMap<(Word, Word, Word), Ladder>,
    entry: Option<CashEntry>,
) -> CloseSection {
    let code = Word::of(currency.code());
    let mut total = Ladder::default();
    let mut methods: BTreeMap<Word, Ladder> = BTreeMap::new();
    let mut operators: BTreeMap<Word, Ladder> = BTreeMap::new();
    let mut operator_methods = Vec::new();
    for ((_, operator, method), ladder) in cells.iter().filter(|((of, _, _), _)| *of == code) {
        total += *ladder;
        *methods.entry(*method).or_default() += *ladder;
        *operators.entry(*operator).or_default() += *ladder;
        operator_methods.push((*operator, CloseRow { key: *method, ladder: *ladder }));
    }
    let cash = methods.get(&Word::of("cash")).copied().unwrap_or_default();
    let rows = |ladders: BTreeMap<Word, Ladder>| -> Vec<CloseRow> {
        ladders.into_iter().map(|(key, ladder)| CloseRow { key, ladder }).collect()
    };
    let mut methods = rows(methods);
    methods.sort_by_key(|row| (-row.ladder.paid, row.key));
    CloseSection {
        currency,
        total,
        methods,
        operators: rows(operators),
        operator_methods,
        cash: CashCount { taken: cash.paid + cash.top_up_amount, refunded: cash.refunded, entry },
    }
}

#[cfg(test)]
mod tests {
    use crate::analytics::{MoneyKind, MoneySums};

    use super::super::period::Period;
    use super::super::testing::{Cell, World, at, contract, paid, query};
    use super::*;

    fn close(world: World, cash: &BTreeMap<Currency, CashEntry>) -> DailyClose {
        let query = query(Period::Yesterday, at("2026-11-25T06:25:00Z"));
        daily_close(&world.view(), &contract("wechat_pay", 6_000), &query, cash).unwrap()
    }

    fn world() -> World {
        let mut discounted = Cell { operator: "lin", ..paid(3, 27_000).fee(162) };
        discounted.sums =
            MoneySums { list: 30_000, discount_merchant: 2_000, discount_platform: 900, ..discounted.sums };
        let cash = Cell { operator: "wang", ..paid(2, 5_550).by("cash") };
        World::default()
            .with("2026-11-24T04:00:00Z", discounted)
            .with("2026-11-24T05:00:00Z", cash)
            .with(
                "2026-11-24T06:00:00Z",
                Cell { operator: "wang", ..paid(1, 550).by("cash") }.kind(MoneyKind::Refund),
            )
            .with("2026-11-24T07:00:00Z", paid(1, 10_000))
            .with("2026-11-24T16:00:00Z", paid(1, 77_777)) // the next day
    }

    #[test]
    fn the_day_goes_from_list_to_what_arrives() {
        let shown = close(world(), &BTreeMap::new());
        let section = &shown.sections[0];
        let total = section.total;
        assert_eq!((total.list, total.discount_merchant, total.discount_platform), (45_550, 2_000, 900));
        assert_eq!((total.discount_other(), total.paid, total.refunded), (100, 42_550, 550));
        assert_eq!((total.fees.charged, total.fees.estimated), (162, 60));
        assert_eq!(total.net_proceeds(), Some(42_550 - 550 - 222));
        let names = |rows: &[CloseRow]| {
            rows.iter().map(|row| (row.key.as_str(), row.ladder.paid)).collect::<Vec<_>>()
        };
        assert_eq!(names(&section.methods), [("wechat_pay", 37_000), ("cash", 5_550)]);
        assert_eq!(names(&section.operators), [("", 10_000), ("lin", 27_000), ("wang", 5_550)]);
        assert_eq!(section.operator_methods.len(), 3);
    }

    #[test]
    fn the_drawer_is_over_or_short() {
        let entry = |counted| BTreeMap::from([(Currency::CNY, CashEntry { opening: 20_000, counted })]);
        let over = |cash| close(world(), &cash).sections[0].cash.over();
        assert_eq!(over(entry(25_000)), Some(0));
        assert_eq!(over(entry(25_010)), Some(10));
        assert_eq!(over(entry(24_900)), Some(-100));
        assert_eq!(over(BTreeMap::new()), None);
        // A count on a day without records is still shown.
        let empty = close(World::default(), &entry(19_000));
        assert_eq!(empty.sections[0].cash.over(), Some(-1_000));
    }
}
