use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::rails::share_half_up;
use super::random::Random;
use super::script::Script;
use super::shops::SHOPS;
use crate::domain::{Currency, Item};

/// What one shopper takes to the till, priced.
#[derive(Clone, Debug)]
pub struct Basket {
    pub items: Vec<Item>,
    /// Minor units, before and after what the shop takes off.
    pub list: i64,
    pub discount: i64,
    pub promotion: Option<&'static str>,
}

/// Where the shopper stands with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shopper {
    /// Number among the store's customers.
    pub number: i64,
    pub level: Option<&'static str>,
}

impl Shopper {
    /// Draws a shopper: a few come often, most rarely.
    pub fn draw(shop: usize, random: &mut Random) -> Self {
        let number = random.skewed(0, SHOPS[shop].customers);
        let level = match number % 23 {
            0 => Some("gold"),
            1..=3 => Some("silver"),
            4..=9 => Some("basic"),
            _ => None,
        };
        Self { number, level }
    }
}

impl Basket {
    /// Draws a basket for a business day, with the code that runs and what a gold member gets.
    pub fn draw(
        shop: usize,
        day: NaiveDate,
        online: bool,
        shopper: Shopper,
        script: &Script,
        random: &mut Random,
    ) -> Self {
        let promotion = script.promotion(shop, day).filter(|one| random.chance(one.used));
        let percent = match (promotion, shopper.level) {
            (Some(promotion), _) => promotion.percent_off,
            (None, Some("gold")) => 5,
            _ => 0,
        };
        let shelf = SHOPS[shop].goods;
        let currency = SHOPS[shop].currency();
        let mut items: Vec<Item> = Vec::new();
        for _ in 0..=random.skewed(0, 3) {
            let weights = shelf.iter().map(|good| if good.online_only && !online { 0 } else { good.weight });
            let Some(good) = shelf.get(random.weighted(weights)) else { continue };
            if items.iter().any(|item| item.sku.as_deref() == Some(good.sku)) {
                continue;
            }
            let quantity = 1 + random.skewed(0, good.pieces - 1);
            let discount = share_half_up(quantity * good.price, percent * 10_000);
            items.push(Item {
                sku: Some(good.sku.to_owned()),
                name: Some(good.name.to_owned()),
                category: Some(good.category.to_owned()),
                quantity: Decimal::from(quantity),
                unit_amount: Some(major(good.price, currency)),
                discount: (discount > 0).then_some(discount),
                line_amount: quantity * good.price - discount,
            });
        }
        let discount = items.iter().filter_map(|item| item.discount).sum();
        let paid: i64 = items.iter().map(|item| item.line_amount).sum();
        Self { list: paid + discount, items, discount, promotion: promotion.map(|one| one.code) }
    }

    /// What is asked from the shopper.
    pub const fn asked(&self) -> i64 {
        self.list - self.discount
    }

    /// The same basket priced in another unit: `per_minor` of its minor units for one of ours.
    pub fn converted(&self, per_minor: i64, from: Currency, to: Currency) -> Self {
        let items = self
            .items
            .iter()
            .map(|item| Item {
                unit_amount: item.unit_amount.map(|unit| {
                    let minor = unit * Decimal::from(from.minor_per_major() * per_minor);
                    (minor / Decimal::from(to.minor_per_major())).normalize()
                }),
                discount: item.discount.map(|minor| minor * per_minor),
                line_amount: item.line_amount * per_minor,
                ..item.clone()
            })
            .collect();
        Self {
            items,
            list: self.list * per_minor,
            discount: self.discount * per_minor,
            promotion: self.promotion,
        }
    }
}

fn major(minor: i64, currency: Currency) -> Decimal {
    Decimal::new(minor, currency.exponent()).normalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basket_adds_up() {
        let script = Script::until("2026-11-25T00:00:00Z".parse().expect("an instant"));
        let mut random = Random::of(3, "baskets", &[]);
        for round in 0..2_000 {
            let shop = round % 3;
            let day = script.promotions[round % 2].first;
            let shopper = Shopper::draw(shop, &mut random);
            let basket = Basket::draw(shop, day, round % 2 == 0, shopper, &script, &mut random);
            assert!(!basket.items.is_empty() && basket.asked() > 0);
            for item in &basket.items {
                let unit = item.unit_amount.expect("a price") * Decimal::from(100);
                let list = item.quantity * unit - Decimal::from(item.discount.unwrap_or(0));
                assert_eq!(list, Decimal::from(item.line_amount));
            }
            let usdt = Currency::parse("USDT").expect("a token");
            let other = basket.converted(12_700, Currency::CNY, usdt);
            assert_eq!(other.asked(), basket.asked() * 12_700);
        }
    }
}
