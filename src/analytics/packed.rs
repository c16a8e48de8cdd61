//! A block of rollups as bytes, and the way over its cells without building anything.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{StoreId, Word};

use super::cell::{
    Cell, Cursor, Dictionary, Owned, category_item, coarse_attempt, coarse_conversion, coarse_item,
    coarse_money, product_item, summed,
};
use super::column::{Column, ColumnsWriter, put_varint, take_bytes, take_count};
use super::rollup::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, DayBlock, ItemKey, ItemSums, LatencyKey,
    MoneyKey, MoneySums, ProfileKey,
};
use super::sketch::Sketch;

/// Version of the bytes. 1 were postcard blocks of the first release: they are made anew from the rows.
pub const FORMAT: u8 = 2;

/// Bytes of the hash that follows the format.
const HASH_BYTES: usize = 8;
/// Smaller sections are not worth compressing.
const COMPRESS_FROM: usize = 512;
const COMPRESSION_LEVEL: i32 = 1;
/// Most bytes of one section: more is damage.
const SECTION_BYTES_MAX: usize = 1 << 30;

/// A stored block that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// Written by a newer version of the program.
    #[error("rollup block has format {0}, this program reads format {FORMAT}: use a newer one")]
    Format(u8),
    /// The bytes are not what was written.
    #[error("rollup block is damaged: its {0}")]
    Damaged(&'static str),
}

/// How much of the dimensions a report needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything the block holds.
    Full,
    /// Without scene, promotion, cashier: several times fewer cells.
    Coarse,
}

/// Which dimensions of basket lines a report needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemDetail {
    /// Everything the block holds.
    Full,
    /// Without product.
    Filters,
    /// Category, method, currency.
    Category,
    /// Product, category, method, currency.
    Product,
}

/// What a section holds. The number is part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Section {
    Money = 0,
    MoneyCoarse = 1,
    Attempts = 2,
    AttemptsCoarse = 3,
    Conversion = 4,
    ConversionCoarse = 5,
    Latency = 6,
    Items = 7,
    ItemsFilters = 8,
    ItemsCategory = 9,
    ItemsProduct = 10,
    Profile = 11,
    Customers = 12,
}

/// Where a section lies in the bytes.
#[derive(Clone, Copy, Debug)]
struct Place {
    section: u8,
    cells: usize,
    raw_bytes: usize,
    from: usize,
    until: usize,
}

/// The rollups of one owner and one day.
#[derive(Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    words: Vec<Word>,
    sections: Vec<Place>,
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Packed {}

thread_local! {
    static UNZIP: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

impl Packed {
    /// A block of one owner.
    pub fn of(block: DayBlock) -> Self {
        Self::of_stores(BTreeMap::from([(StoreId(0), block)]))
    }

    /// A block that tells stores apart.
    pub fn of_stores(blocks: BTreeMap<StoreId, DayBlock>) -> Self {
        let bytes = Writer::of(blocks).finish();
        Self::just_written(bytes)
    }

    /// A block that holds only who paid.
    pub fn of_sketch(sketch: &Sketch) -> Self {
        let mut writer = Writer::of(BTreeMap::new());
        writer.sections.push((Section::Customers, sketch.registers(), sketch.bytes()));
        Self::just_written(writer.bytes())
    }

    /// What was just written can be read; an empty block in its place would be a wrong number.
    fn just_written(bytes: Vec<u8>) -> Self {
        Self::read(bytes).unwrap_or_else(|error| unreachable!("a block that was just written: {error}"))
    }

    /// Who paid; nobody in blocks of cells.
    pub fn sketch(&self) -> Sketch {
        let mut sketch = Sketch::default();
        self.join_into(&mut sketch);
        sketch
    }

    /// Adds those who paid to others.
    pub fn join_into(&self, sketch: &mut Sketch) {
        let place = self.sections.iter().find(|place| place.section == Section::Customers as u8);
        if let Some(place) = place {
            sketch.join_bytes(&self.raw(place), place.cells);
        }
    }

    /// Reads the head of a block and checks its hash.
    ///
    /// # Errors
    /// [`RollupError`].
    pub fn read(bytes: Vec<u8>) -> Result<Self, RollupError> {
        match bytes.first() {
            Some(&FORMAT) => {}
            Some(&other) if other > FORMAT => return Err(RollupError::Format(other)),
            _ => return Err(RollupError::Damaged("format")),
        }
        let damaged = |what: &'static str| move || RollupError::Damaged(what);
        let mut rest = &bytes[1..];
        let hash = take_bytes(&mut rest, HASH_BYTES).ok_or_else(damaged("hash"))?;
        if blake3::hash(rest).as_bytes().get(..HASH_BYTES) != Some(hash) {
            return Err(RollupError::Damaged("hash"));
        }
        let words = read_words(&mut rest).ok_or_else(damaged("words"))?;
        let sections = read_places(&mut rest, bytes.len()).ok_or_else(damaged("sections"))?;
        Ok(Self { bytes, words, sections })
    }

    /// The bytes to keep.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Memory it takes, about.
    pub fn weight(&self) -> usize {
        self.bytes.capacity()
            + self.words.capacity() * size_of::<Word>()
            + self.sections.capacity() * size_of::<Place>()
            + size_of::<Self>()
    }

    /// Every word in its cells.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// True when nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.sections.iter().all(|place| place.cells == 0)
    }

    /// The block in the form that changes are made in.
    pub fn unpack(&self) -> DayBlock {
        let mut all = DayBlock::default();
        for (_, block) in self.unpack_stores() {
            all.apply(&block);
        }
        all
    }

    /// The blocks of a block that tells stores apart.
    pub fn unpack_stores(&self) -> BTreeMap<StoreId, DayBlock> {
        let mut blocks = BTreeMap::new();
        self.unpack_cells::<MoneyKey>(Section::Money, &mut blocks);
        self.unpack_cells::<AttemptKey>(Section::Attempts, &mut blocks);
        self.unpack_cells::<ConversionKey>(Section::Conversion, &mut blocks);
        self.unpack_cells::<LatencyKey>(Section::Latency, &mut blocks);
        self.unpack_cells::<ItemKey>(Section::Items, &mut blocks);
        self.unpack_cells::<ProfileKey>(Section::Profile, &mut blocks);
        blocks
    }

    fn unpack_cells<C: Cell>(&self, section: Section, blocks: &mut BTreeMap<StoreId, DayBlock>) {
        self.cells::<C>(&[section], |store, key, sums| {
            C::of(blocks.entry(store).or_default()).insert(*key, *sums);
        });
    }

    /// Every money cell, with its store in a block that tells stores apart.
    pub fn money(&self, detail: Detail, take: impl FnMut(StoreId, &MoneyKey, &MoneySums)) {
        self.cells(coarser(detail, &[Section::MoneyCoarse, Section::Money]), take);
    }

    /// Every attempt cell.
    pub fn attempts(&self, detail: Detail, take: impl FnMut(StoreId, &AttemptKey, &AttemptSums)) {
        self.cells(coarser(detail, &[Section::AttemptsCoarse, Section::Attempts]), take);
    }

    /// Every conversion cell.
    pub fn conversion(&self, detail: Detail, take: impl FnMut(StoreId, &ConversionKey, &ConversionSums)) {
        self.cells(coarser(detail, &[Section::ConversionCoarse, Section::Conversion]), take);
    }

    /// Every time to pay.
    pub fn latency(&self, take: impl FnMut(StoreId, &LatencyKey, &i64)) {
        self.cells(&[Section::Latency], take);
    }

    /// Every basket cell.
    pub fn items(&self, detail: ItemDetail, take: impl FnMut(StoreId, &ItemKey, &ItemSums)) {
        let sections: &[Section] = match detail {
            ItemDetail::Full => &[Section::Items],
            ItemDetail::Filters => &[Section::ItemsFilters, Section::Items],
            ItemDetail::Category => &[Section::ItemsCategory, Section::ItemsFilters, Section::Items],
            ItemDetail::Product => &[Section::ItemsProduct, Section::Items],
        };
        self.cells(sections, take);
    }

    /// Every payment by the hour of the wall clock.
    pub fn profile(&self, take: impl FnMut(StoreId, &ProfileKey, &AttemptSums)) {
        self.cells(&[Section::Profile], take);
    }

    /// The cells of the first of these sections that is there.
    fn cells<C: Cell>(&self, sections: &[Section], mut take: impl FnMut(StoreId, &C, &C::Sums)) {
        let find = |wanted: &Section| self.sections.iter().find(|place| place.section == *wanted as u8);
        let Some(place) = sections.iter().find_map(find) else { return };
        let raw = self.raw(place);
        let mut rest = &raw[..];
        let mut columns = Vec::with_capacity(24);
        while let Some(column) = Column::take(&mut rest) {
            columns.push(column);
        }
        let mut cursor = Cursor::new(columns, &self.words);
        for _ in 0..place.cells {
            cursor.begin_cell();
            let store = StoreId(i64::try_from(cursor.key()).unwrap_or(0));
            let (key, sums) = C::read(&mut cursor);
            take(store, &key, &sums);
        }
    }

    /// The bytes of a section. They were compared with their hash: when they cannot be unpacked that is our fault, and no
    /// figure is better than one without these cells.
    fn raw(&self, place: &Place) -> Cow<'_, [u8]> {
        self.unpacked(place).unwrap_or_else(|| unreachable!("section {} cannot be unpacked", place.section))
    }

    fn unpacked(&self, place: &Place) -> Option<Cow<'_, [u8]>> {
        let stored = self.bytes.get(place.from..place.until)?;
        if stored.len() == place.raw_bytes {
            return Some(Cow::Borrowed(stored));
        }
        UNZIP.with_borrow_mut(|unzip| {
            if unzip.is_none() {
                *unzip = zstd::bulk::Decompressor::new().ok();
            }
            unzip.as_mut()?.decompress(stored, place.raw_bytes).ok().map(Cow::Owned)
        })
    }
}

/// The sections that answer, coarsest first; for every detail only the last.
const fn coarser(detail: Detail, sections: &'static [Section]) -> &'static [Section] {
    match detail {
        Detail::Coarse => sections,
        Detail::Full => sections.split_at(sections.len() - 1).1,
    }
}

fn read_words(rest: &mut &[u8]) -> Option<Vec<Word>> {
    let count = take_count(rest)?;
    let mut words = Vec::with_capacity(count.min(rest.len()));
    for _ in 0..count {
        let length = take_count(rest)?;
        words.push(Word::of(std::str::from_utf8(take_bytes(rest, length)?).ok()?));
    }
    Some(words)
}

fn read_places(rest: &mut &[u8], all_bytes: usize) -> Option<Vec<Place>> {
    let count = take_count(rest)?;
    let mut places = Vec::with_capacity(count.min(rest.len()));
    for _ in 0..count {
        let section = *take_bytes(rest, 1)?.first()?;
        let (cells, raw_bytes, stored) = (take_count(rest)?, take_count(rest)?, take_count(rest)?);
        places.push(Place { section, cells, raw_bytes, from: 0, until: stored });
    }
    let mut from = all_bytes - rest.len();
    for place in &mut places {
        let until = from.checked_add(place.until).filter(|until| *until <= all_bytes)?;
        (place.from, place.until) = (from, until);
        if place.raw_bytes > SECTION_BYTES_MAX {
            return None;
        }
        from = until;
    }
    (from == all_bytes).then_some(places)
}

/// Makes the bytes of a block.
struct Writer {
    words: BTreeSet<Word>,
    sections: Vec<(Section, usize, Vec<u8>)>,
    blocks: BTreeMap<StoreId, DayBlock>,
}

impl Writer {
    fn of(mut blocks: BTreeMap<StoreId, DayBlock>) -> Self {
        let mut words = BTreeSet::from([Word::NONE]);
        for block in blocks.values_mut() {
            add_words::<MoneyKey>(block, &mut words);
            add_words::<AttemptKey>(block, &mut words);
            add_words::<ConversionKey>(block, &mut words);
            add_words::<LatencyKey>(block, &mut words);
            add_words::<ItemKey>(block, &mut words);
            add_words::<ProfileKey>(block, &mut words);
        }
        Self { words, sections: Vec::new(), blocks }
    }

    fn finish(mut self) -> Vec<u8> {
        let words = Dictionary::of(&self.words);
        let money = self.take();
        self.with_coarse([Section::Money, Section::MoneyCoarse], &money, coarse_money, &words);
        let attempts = self.take();
        self.with_coarse([Section::Attempts, Section::AttemptsCoarse], &attempts, coarse_attempt, &words);
        let conversion = self.take();
        let sections = [Section::Conversion, Section::ConversionCoarse];
        self.with_coarse(sections, &conversion, coarse_conversion, &words);
        let latency: Owned<LatencyKey> = self.take();
        self.put(Section::Latency, &latency, &words);
        let items: Owned<ItemKey> = self.take();
        self.with_coarse([Section::Items, Section::ItemsProduct], &items, product_item, &words);
        let filters = summed(&items, coarse_item);
        self.put_if_fewer(Section::ItemsFilters, &filters, items.len(), &words);
        let categories = summed(&filters, category_item);
        self.put_if_fewer(Section::ItemsCategory, &categories, filters.len(), &words);
        let profile: Owned<ProfileKey> = self.take();
        self.put(Section::Profile, &profile, &words);
        self.bytes()
    }

    fn take<C: Cell>(&mut self) -> Owned<C> {
        let mut cells = Vec::new();
        for (store, block) in &mut self.blocks {
            let owned = std::mem::take(C::of(block)).into_iter();
            cells.extend(owned.map(|(key, sums)| (*store, key, sums)));
        }
        cells
    }

    /// The cells, and their coarser form where it is worth its bytes.
    fn with_coarse<C: Cell>(
        &mut self,
        [full, coarse]: [Section; 2],
        cells: &Owned<C>,
        without: impl Fn(&C) -> C,
        words: &Dictionary,
    ) {
        self.put(full, cells, words);
        self.put_if_fewer(coarse, &summed(cells, without), cells.len(), words);
    }

    fn put_if_fewer<C: Cell>(&mut self, section: Section, cells: &Owned<C>, than: usize, words: &Dictionary) {
        if cells.len() * 4 <= than * 3 {
            self.put(section, cells, words);
        }
    }

    fn put<C: Cell>(&mut self, section: Section, cells: &Owned<C>, words: &Dictionary) {
        if cells.is_empty() {
            return;
        }
        let mut columns = ColumnsWriter::default();
        for (store, key, sums) in cells {
            columns.key(u64::try_from(store.0).unwrap_or(0));
            key.write(sums, words, &mut columns);
            columns.end_cell();
        }
        self.sections.push((section, cells.len(), columns.finish()));
    }

    fn bytes(self) -> Vec<u8> {
        let mut rest = Vec::new();
        put_varint(&mut rest, self.words.len() as u128);
        for word in &self.words {
            put_varint(&mut rest, word.len() as u128);
            rest.extend_from_slice(word.as_bytes());
        }
        put_varint(&mut rest, self.sections.len() as u128);
        let mut payload = Vec::new();
        for (section, cells, raw) in &self.sections {
            // Registers are joined by the thousand and hardly compress.
            let stored = if *section == Section::Customers { Cow::Borrowed(&raw[..]) } else { zipped(raw) };
            rest.push(*section as u8);
            for number in [*cells, raw.len(), stored.len()] {
                put_varint(&mut rest, number as u128);
            }
            payload.extend_from_slice(&stored);
        }
        rest.append(&mut payload);
        let mut bytes = Vec::with_capacity(1 + HASH_BYTES + rest.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(blake3::hash(&rest).as_bytes().get(..HASH_BYTES).unwrap_or_default());
        bytes.append(&mut rest);
        bytes
    }
}

fn add_words<C: Cell>(block: &mut DayBlock, words: &mut BTreeSet<Word>) {
    // Few are new: most cells repeat the words of their neighbours.
    let mut known = std::collections::HashSet::new();
    for key in C::of(block).keys() {
        known.extend(key.words());
    }
    words.extend(known);
}

/// Compressed, when that saves a fifth.
fn zipped(raw: &[u8]) -> Cow<'_, [u8]> {
    if raw.len() < COMPRESS_FROM {
        return Cow::Borrowed(raw);
    }
    match zstd::bulk::compress(raw, COMPRESSION_LEVEL) {
        Ok(small) if small.len() * 5 <= raw.len() * 4 => Cow::Owned(small),
        _ => Cow::Borrowed(raw),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analytics::{AttemptSums, Feed, MoneyKind, Slot, Unit};
    use crate::domain::{FailureClass, Status};

    fn word(number: u8) -> Word {
        Word::of(["", "alipay", "card", "快捷", "z"][usize::from(number % 5)])
    }

    fn money() -> impl Strategy<Value = (MoneyKey, MoneySums)> {
        (any::<[u8; 9]>(), any::<[i64; 4]>(), any::<[i64; 6]>()).prop_map(|(of, counts, sums)| {
            let key = MoneyKey {
                slot: Slot(of[0] % 96),
                feed: if of[1].is_multiple_of(2) { Feed::Live } else { Feed::Ledger },
                kind: if of[1].is_multiple_of(3) { MoneyKind::Payment } else { MoneyKind::Adjustment },
                account: word(of[2]),
                provider: word(of[3]),
                method: word(of[4]),
                scene: word(of[5]),
                operator: word(of[6]),
                promotion: word(of[7]),
                currency: word(of[8]),
            };
            let sums = MoneySums {
                count: counts[0] >> 8,
                amount: i128::from(sums[0]) << 40,
                list: i128::from(sums[1]),
                discount_merchant: i128::from(sums[2]),
                discount_platform: 0,
                tax: i128::from(counts[2] % 3),
                fee: i128::from(sums[3]),
                fee_known_count: counts[1] >> 8,
                fee_known_amount: i128::from(sums[4]),
                fee_refunded: i128::from(sums[5]),
            };
            (key, sums)
        })
    }

    fn rest() -> impl Strategy<Value = DayBlock> {
        (any::<[u8; 8]>(), any::<[i32; 13]>()).prop_map(|(of, sums)| {
            let [provider, method, scene, promotion] = [word(of[0]), word(of[1]), word(of[2]), word(of[3])];
            let (slot, currency) = (Slot(of[4] % 96), word(of[5]));
            let attempt = AttemptKey {
                slot,
                provider,
                method,
                scene,
                promotion,
                currency,
                status: Status::ALL[usize::from(of[6]) % Status::ALL.len()],
                failure_code: word(of[7]),
                failure_class: (of[7].is_multiple_of(2)).then_some(FailureClass::Merchant),
            };
            let unit = if of[6].is_multiple_of(2) { Unit::Payment } else { Unit::AttemptGroup };
            let conversion = ConversionKey { unit, slot, provider, method, scene, promotion, currency };
            let count = |at: usize| i64::from(sums[at]);
            let reached = ConversionSums {
                started: count(0),
                submitted: count(1),
                authorized: count(2),
                paid: count(3),
                open: count(4),
                paid_first_try: count(5),
                retried: count(6),
                retried_paid: count(7),
                abandoned: count(8),
                failed_technical: count(9),
                started_amount: sums[10].into(),
                paid_amount: sums[11].into(),
                open_amount: sums[12].into(),
            };
            let latency = LatencyKey { slot, provider, method, bucket: u16::from(of[6]) * 3 };
            let (category, sku, name) = (word(of[5]), word(of[6]), word(of[7]));
            let item = ItemKey { slot, provider, method, scene, promotion, category, sku, name, currency };
            let amounts = AttemptSums { count: count(0), amount: sums[1].into() };
            let mut block = DayBlock::default();
            block.attempts.insert(attempt, amounts);
            block.conversion.insert(conversion, reached);
            block.latency.insert(latency, count(2));
            block
                .items
                .insert(item, ItemSums { lines: count(3), amount: sums[4].into(), ..ItemSums::default() });
            block
        })
    }

    fn block() -> impl Strategy<Value = DayBlock> {
        (proptest::collection::vec(money(), 0..40), proptest::collection::vec(rest(), 0..40)).prop_map(
            |(money, rest)| {
                let mut all = DayBlock { money: money.into_iter().collect(), ..DayBlock::default() };
                for part in &rest {
                    all.apply(part);
                }
                all
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn what_is_packed_unpacks_the_same_and_coarse_cells_have_the_same_sums(one in block(), other in block()) {
            let packed = Packed::read(Packed::of(one.clone()).bytes().to_vec()).unwrap();
            prop_assert_eq!(packed.unpack(), one.clone());
            let mut sums = [MoneySums::default(); 2];
            packed.money(Detail::Full, |_, _, cell| sums[0] += *cell);
            packed.money(Detail::Coarse, |_, _, cell| sums[1] += *cell);
            prop_assert_eq!(sums[0], sums[1]);
            for detail in [ItemDetail::Filters, ItemDetail::Category, ItemDetail::Product] {
                let mut lines = [0, 0];
                packed.items(ItemDetail::Full, |_, _, cell| lines[0] += cell.lines);
                packed.items(detail, |_, _, cell| lines[1] += cell.lines);
                prop_assert_eq!(lines[0], lines[1]);
            }
            let mut stores = BTreeMap::from([(StoreId(3), one), (StoreId(900), other)]);
            stores.retain(|_, block| !block.is_empty());
            prop_assert_eq!(Packed::of_stores(stores.clone()).unpack_stores(), stores);
        }

        #[test]
        fn a_changed_byte_is_noticed(block in block(), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let mut bytes = Packed::of(block).bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Packed::read(bytes).is_err());
        }
    }

    #[test]
    fn a_newer_format_is_refused_as_such() {
        assert!(matches!(Packed::read(vec![FORMAT + 1, 0]), Err(RollupError::Format(3))));
        assert!(matches!(Packed::read(vec![]), Err(RollupError::Damaged(_))));
        assert!(matches!(Packed::read(vec![1, 0]), Err(RollupError::Damaged(_))));
    }
}
