use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::app::config::DataOptions;
use crate::app::{door_keys, secret_of};
use crate::domain::{KeyMode, KeyScope, Store, StoreSet};
use crate::store::ApiKeyRecord;
use crate::web::door::Door;

use super::open_database;
use super::serve::now;

#[derive(Subcommand, Debug)]
pub(super) enum Action {
    /// Make a key and print it: it is shown once
    Create(Create),
    /// List keys, without their secrets
    List(DataOptions),
    /// Revoke a key by the eight characters that stand open in it
    Revoke(Revoke),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    #[command(flatten)]
    data: DataOptions,
    /// What the key is for
    #[arg(long)]
    name: String,
    /// What it may do: ingest or read
    #[arg(long, default_value = "ingest")]
    scope: String,
    /// Whether its records count: live or test
    #[arg(long, default_value = "live")]
    mode: String,
    /// Store it is bound to (its slug); may be given several times; all stores without it
    #[arg(long)]
    store: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Revoke {
    #[command(flatten)]
    data: DataOptions,
    /// The eight characters after `tw_live_`
    id: String,
}

/// Works beside a running server too: the database lets one writer in at a time.
pub(super) async fn run(action: Action) -> anyhow::Result<()> {
    match action {
        Action::Create(options) => create(options).await,
        Action::List(data) => list(&data).await,
        Action::Revoke(options) => revoke(options).await,
    }
}

async fn create(options: Create) -> anyhow::Result<()> {
    let database = open_database(&options.data).await?;
    let Some(organisation) = database.organisation().await? else {
        bail!("nothing is set up yet: open the link that `tillwatch serve` prints");
    };
    let scope = KeyScope::parse(&options.scope).context("--scope is neither ingest nor read")?;
    let mode = KeyMode::parse(&options.mode).context("--mode is neither live nor test")?;
    let stores = bound_stores(&database.stores().await?, &options.store)?;
    let door = Door::new(door_keys(&secret_of(&options.data.data_dir)?));
    let (key, secret_hmac) = door.make_key(mode)?;
    let record = ApiKeyRecord {
        id: key.id().to_owned(),
        organisation: organisation.id,
        name: options.name,
        scope,
        mode,
        stores,
        secret_hmac,
        created_at: now(),
        last_used_at: None,
        revoked_at: None,
    };
    database.insert_api_key(&record).await.context("storing the key")?;
    database.close().await;
    println!("{}", key.reveal());
    eprintln!("This key is shown once. Send it as `Authorization: Bearer …`.");
    Ok(())
}

fn bound_stores(stores: &[Store], slugs: &[String]) -> anyhow::Result<StoreSet> {
    if slugs.is_empty() {
        return Ok(StoreSet::All);
    }
    let mut bound = Vec::new();
    for slug in slugs {
        let Some(store) = stores.iter().find(|store| store.slug == *slug) else {
            let known: Vec<&str> = stores.iter().map(|store| store.slug.as_str()).collect();
            bail!("there is no store `{slug}`; there are: {}", known.join(", "));
        };
        bound.push(store.id);
    }
    Ok(StoreSet::of(bound))
}

async fn list(data: &DataOptions) -> anyhow::Result<()> {
    let database = open_database(data).await?;
    for key in database.api_keys().await? {
        let state = if key.revoked_at.is_some() { "revoked" } else { "in use" };
        let used = key
            .last_used_at
            .map_or_else(|| "never used".to_owned(), |at| format!("last used {}", at.to_rfc3339()));
        println!("{}  {}  {}  {state}, {used}  {}", key.id, key.scope.as_str(), key.mode.as_str(), key.name);
    }
    database.close().await;
    Ok(())
}

async fn revoke(options: Revoke) -> anyhow::Result<()> {
    let database = open_database(&options.data).await?;
    let revoked = database.revoke_api_key(&options.id, now()).await?;
    database.close().await;
    if !revoked {
        bail!("there is no key {} that is in use", options.id);
    }
    println!("key {} is revoked", options.id);
    Ok(())
}
