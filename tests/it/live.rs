//! The real program in a process of its own, over a data folder of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tillwatch::app::{DataFolder, door_keys};
use tillwatch::domain::{Clock, Currency, KeyMode, KeyScope, OrganisationId, Role, StoreSet, SystemClock};
use tillwatch::store::{ApiKeyRecord, Database, DatabaseAddress, FirstSetup, PersonDraft, StoreDraft};
use tillwatch::web::door::Door;

use crate::engines::{Postgres, database_in};

/// A data folder that is set up: the store `main` and a live key for it.
pub struct Installation {
    folder: tempfile::TempDir,
    postgres: Option<Postgres>,
    pub address: DatabaseAddress,
    pub key: String,
}

impl Installation {
    pub async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let locked = DataFolder::open(folder.path()).unwrap();
        let door = Door::new(door_keys(&locked.secret().unwrap()));
        let (address, postgres) = database_in(folder.path());
        let address = DatabaseAddress::parse(&address).unwrap();
        let database = Database::open(address.clone()).await.unwrap();
        let now = SystemClock.now();
        database.put_setup_token(b"", now + chrono::TimeDelta::minutes(30)).await.unwrap();
        database.complete_setup(&first_setup(), now).await.unwrap();
        let (key, secret_hmac) = door.make_key(KeyMode::Live).unwrap();
        let record = ApiKeyRecord {
            id: key.id().to_owned(),
            organisation: OrganisationId(1),
            name: "till".into(),
            scope: KeyScope::Ingest,
            mode: KeyMode::Live,
            stores: StoreSet::All,
            secret_hmac,
            created_at: now,
            last_used_at: None,
            revoked_at: None,
        };
        database.insert_api_key(&record).await.unwrap();
        database.close().await;
        Self { folder, postgres, address, key: key.reveal().to_owned() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server and waits until it listens.
    pub fn serve(&self) -> Served {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tillwatch"));
        if let Some(postgres) = &self.postgres {
            command.env("TILLWATCH_DATABASE", postgres.address());
        }
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-filter", "off", "--data-dir"])
            .arg(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let origin = lines
            .find_map(|line| {
                let line = line.unwrap();
                let (_, rest) = line.split_once("listens on ")?;
                Some(rest.split(',').next()?.to_owned())
            })
            .expect("the server ended before it listened");
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Served { child, origin }
    }
}

/// A running server; killed when dropped.
pub struct Served {
    child: Child,
    /// `http://127.0.0.1:…`
    pub origin: String,
}

impl Drop for Served {
    /// SIGKILL: no goodbye.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn first_setup() -> FirstSetup {
    FirstSetup {
        organisation_name: "Tea & Co".into(),
        owner: PersonDraft {
            email: "owner@example.com".into(),
            name: "Wang".into(),
            password_hash: String::new(),
            role: Role::Owner,
            stores: StoreSet::All,
            language: "en".into(),
        },
        store: StoreDraft {
            organisation: OrganisationId(0),
            slug: "main".into(),
            name: "总店".into(),
            zone: chrono_tz::Asia::Shanghai,
            cut_off: chrono::NaiveTime::MIN,
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        },
    }
}
