use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{NaiveTime, TimeDelta, Weekday};
use tokio::sync::mpsc;

use super::bills::{BillFile, bank};
use super::script::bill_ready_at;
use super::shops::SHOPS;
use crate::analytics::reconciliation::{ANY_ACCOUNT, AccountRules};
use crate::domain::{
    ContractRate, Instant, KeyMode, KeyScope, OrganisationId, Role, Rounding, StoreId, StoreSet, Word,
};
use crate::intake::FileHints;
use crate::intake::import::{ImportRequest, import_file};
use crate::intake::{Intake, Pseudonyms};
use crate::store::{ApiKeyRecord, Database, ImportState, PersonDraft, StoreDraft, StoreError};
use crate::web::AppState;
use crate::web::door::random_hex;

/// Who owns the demo's stores.
pub const ORGANISATION: &str = "三岸商行 Three Shores";

/// What the contracts say: store, provider, method, millionths, fixed part in minor units.
const CONTRACTS: [(usize, &str, Option<&str>, u32, i64); 13] = [
    (0, "wechat_pay", None, 3_800, 0),
    (0, "alipay", None, 6_000, 0),
    (0, "unionpay", None, 3_800, 0),
    (0, "chinaums", None, 6_000, 0),
    (0, "cash", None, 0, 0),
    (1, "wechat_pay", None, 3_800, 0),
    (1, "alipay", None, 3_800, 0),
    (1, "unionpay", None, 3_800, 0),
    (1, "chinaums", None, 6_000, 0),
    (1, "cash", None, 0, 0),
    (2, "stripe", None, 15_000, 20),
    (2, "paypal", None, 29_000, 30),
    (2, "truelayer", None, 0, 25),
];

/// Who signs in.
const OWNER_EMAIL: &str = "owner@demo.example";
/// The setting that tells a demo's folder from any other, and the end of its history.
const SETTING: &str = "demo_until_ms";

/// How the owner signs in.
#[derive(Debug)]
pub struct Login {
    pub email: &'static str,
    pub password: String,
}

/// A data folder that is ready for a demo.
#[derive(Debug)]
pub struct Demo {
    pub stores: [StoreId; 3],
    pub login: Login,
    /// An API key that may send for all stores.
    pub key: String,
    /// False when the folder held a demo before.
    pub is_new: bool,
    /// The end of the history in the folder.
    pub until: Instant,
}

/// Makes organisation, stores, contracts, owner and key; in a folder of an earlier demo only a new password and key.
///
/// # Errors
/// When the folder holds something else than a demo, or the database does not answer.
pub async fn prepare(state: &AppState, until: Instant) -> anyhow::Result<Demo> {
    let (database, now) = (&state.database, state.clock.now());
    let password = random_hex::<8>()?;
    let password_hash = state.door.passwords.hash(password.clone()).await?;
    let login = Login { email: OWNER_EMAIL, password };
    if let Some(known) = database.organisation().await? {
        let Some(ended) = database.setting(SETTING).await?.and_then(|text| text.parse().ok()) else {
            bail!("the folder holds an installation that is not a demo; give another --data-dir");
        };
        let stores = stores_of(database).await?;
        database.set_password(OWNER_EMAIL, &password_hash, now).await?;
        let key = add_key(state, known.id).await?;
        return Ok(Demo { stores, login, key, is_new: false, until: crate::domain::instant_from_ms(ended) });
    }
    let stores = add_stores(database, now).await?;
    add_contracts(database, stores, now).await?;
    add_bank_rules(database, stores).await?;
    let Some(organisation) = database.organisation().await? else { bail!("the organisation is gone") };
    let owner = PersonDraft {
        email: OWNER_EMAIL.to_owned(),
        name: "Demo".to_owned(),
        password_hash,
        role: Role::Owner,
        stores: StoreSet::All,
        language: String::new(),
    };
    database.insert_person(organisation.id, &owner, now).await.context("adding the owner")?;
    let key = add_key(state, organisation.id).await?;
    Ok(Demo { stores, login, key, is_new: true, until })
}

/// Notes that the history is whole: only then is a folder a demo's.
///
/// # Errors
/// [`StoreError`].
pub async fn finish(database: &Database, until: Instant, now: Instant) -> Result<(), StoreError> {
    database.put_setting(SETTING, &until.timestamp_millis().to_string(), now).await
}

/// Takes bills in as files of users are, one after the other, until the channel is closed; returns how many.
///
/// # Errors
/// When a bill is refused, or a row of it: the demo's bills are whole.
pub async fn import_bills(state: AppState, mut bills: mpsc::Receiver<BillFile>) -> anyhow::Result<usize> {
    let mut taken = 0;
    while let Some(bill) = bills.recv().await {
        import_bill(&state.intake, &state.database, &state.pseudonyms, &state.config.data_dir, &bill)
            .await
            .with_context(|| format!("importing {}", bill.name))?;
        taken += 1;
    }
    Ok(taken)
}

/// Takes one bill in; `folder` holds it while it is read.
pub async fn import_bill(
    intake: &Intake,
    database: &Database,
    pseudonyms: &Arc<Pseudonyms>,
    folder: &Path,
    bill: &BillFile,
) -> anyhow::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder).context("making a file")?;
    file.write_all(&bill.bytes).context("writing the bill")?;
    let request = ImportRequest {
        store: bill.store,
        path: file.path().to_owned(),
        file_name: bill.name.clone(),
        mapping: None,
        hints: FileHints::default(),
        scratch: folder.to_owned(),
        // Fetched every morning, soon after the provider has it.
        now: bill_ready_at(bill.day) + TimeDelta::minutes(12),
    };
    let (_, record) = import_file(intake, database, Arc::clone(pseudonyms), request, |_| ()).await?;
    match record {
        Some(record) if record.state == ImportState::Done && record.findings.lines_rejected == 0 => Ok(()),
        record => bail!("the bill was not taken whole: {record:?}"),
    }
}

async fn stores_of(database: &Database) -> anyhow::Result<[StoreId; 3]> {
    let known = database.stores().await?;
    let mut stores = [StoreId(0); 3];
    for (id, shop) in stores.iter_mut().zip(&SHOPS) {
        let found = known.iter().find(|store| store.slug == shop.slug);
        *id = found.with_context(|| format!("the demo's store {} is gone", shop.slug))?.id;
    }
    Ok(stores)
}

async fn add_key(state: &AppState, organisation: OrganisationId) -> anyhow::Result<String> {
    let (key, secret_hmac) = state.door.make_key(KeyMode::Live)?;
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        organisation,
        name: "demo".to_owned(),
        scope: KeyScope::Ingest,
        mode: KeyMode::Live,
        stores: StoreSet::All,
        secret_hmac,
        created_at: state.clock.now(),
        last_used_at: None,
        revoked_at: None,
    };
    state.database.insert_api_key(&record).await.context("storing the key")?;
    Ok(key.reveal().to_owned())
}

/// Adds the organisation and its three stores, in the order of [`SHOPS`].
///
/// # Errors
/// [`StoreError`].
pub async fn add_stores(database: &Database, now: Instant) -> Result<[StoreId; 3], StoreError> {
    let organisation = match database.organisation().await? {
        Some(known) => known.id,
        None => database.insert_organisation(ORGANISATION, now).await?,
    };
    let mut stores = [StoreId(0); 3];
    for (place, id) in stores.iter_mut().enumerate() {
        *id = database.insert_store(&draft(organisation, place), now).await?.id;
    }
    Ok(stores)
}

/// Adds what the stores agreed with their providers, long before the history begins.
///
/// # Errors
/// [`StoreError`].
pub async fn add_contracts(
    database: &Database,
    stores: [StoreId; 3],
    now: Instant,
) -> Result<(), StoreError> {
    let valid_from = now.date_naive().checked_sub_days(chrono::Days::new(700)).unwrap_or_default();
    for (place, provider, method, rate_ppm, fixed_minor) in CONTRACTS {
        let rate = ContractRate {
            store: stores[place],
            provider: Word::of(provider),
            method: method.map(Word::of),
            valid_from,
            valid_until: None,
            rate_ppm,
            fixed_minor,
            rounding: Rounding::HalfUp,
        };
        database.insert_contract_rate(&rate, now).await?;
    }
    Ok(())
}

/// Says what the bank writes when a provider pays out, so that payouts are found on its statements.
///
/// # Errors
/// [`StoreError`].
pub async fn add_bank_rules(database: &Database, stores: [StoreId; 3]) -> Result<(), StoreError> {
    for (store, account) in stores.into_iter().zip(bank::ACCOUNTS) {
        for (provider, text) in [("wechat_pay", "财付通"), ("alipay", "支付宝")] {
            let usual = AccountRules::usual(store, Word::of(provider), Word::of(ANY_ACCOUNT));
            let rules = AccountRules { bank_account: account.into(), bank_text: text.into(), ..usual };
            database.replace_reconciliation_account(&rules).await?;
        }
    }
    Ok(())
}

fn draft(organisation: OrganisationId, place: usize) -> StoreDraft {
    let shop = &SHOPS[place];
    StoreDraft {
        organisation,
        slug: shop.slug.to_owned(),
        name: shop.name.to_owned(),
        zone: shop.zone,
        cut_off: NaiveTime::from_hms_opt(shop.cut_off_hour, 0, 0).unwrap_or(NaiveTime::MIN),
        week_start: Weekday::Mon,
        currency: shop.currency(),
        language: shop.language.to_owned(),
    }
}
