//! The real program in a process of its own, over a data folder that is set up.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tillwatch::app::{DataFolder, config, door_keys};
use tillwatch::domain::{Clock, Currency, KeyMode, KeyScope, OrganisationId, Role, StoreSet, SystemClock};
use tillwatch::store::{
    ApiKeyRecord, Database, DatabaseAddress, Durability, FirstSetup, PersonDraft, StoreDraft, StoreError,
};
use tillwatch::web::door::{Door, token_hash};

/// A data folder with the store `main` and a live key for it.
pub struct Rig {
    folder: PathBuf,
    /// `postgres://…`; a file in the folder when there is none.
    database: Option<String>,
    waived: bool,
    pub key: String,
    /// The `Cookie` header of the owner, who is signed in.
    pub cookie: String,
}

/// How the server is started, beyond the usual.
#[derive(Clone, Debug, Default)]
pub struct Serving {
    /// Promises to break, as `--break` names them.
    pub broken: Vec<String>,
    /// A program and its arguments that starts the server, such as one that injects faults.
    pub under: Vec<String>,
    /// Go on with a database that can lose rows.
    pub waived: bool,
}

impl Serving {
    pub fn breaking(promise: &str) -> Self {
        Self { broken: vec![promise.to_owned()], ..Self::default() }
    }
}

impl Rig {
    /// Sets up this folder, which is made, with its database in it.
    pub async fn set_up(folder: &Path) -> Self {
        Self::set_up_on(folder, None).await
    }

    /// Sets up this folder, which is made, and an empty database.
    pub async fn set_up_on(folder: &Path, database: Option<String>) -> Self {
        Self::set_up_waived(folder, database, false).await
    }

    /// The same, on a database that may be one that can lose rows.
    pub async fn set_up_waived(folder: &Path, database: Option<String>, waived: bool) -> Self {
        let locked = DataFolder::open(folder).unwrap();
        let door = Door::new(door_keys(&locked.secret().unwrap()));
        let (key, cookie) = (String::new(), String::new());
        let mut rig = Self { folder: folder.to_owned(), database, waived, key, cookie };
        let database = rig.database().await.unwrap();
        let now = SystemClock.now();
        database.put_setup_token(b"", now + chrono::TimeDelta::minutes(30)).await.unwrap();
        let (owner, _) = database.complete_setup(&first_setup(), now).await.unwrap();
        let token = "5e".repeat(32);
        database.insert_session(&token_hash(&token), owner, "test", now).await.unwrap();
        rig.cookie = format!("sid={token}");
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
        key.reveal().clone_into(&mut rig.key);
        rig
    }

    /// The same installation, whose database is found at another address.
    pub fn at(&self, database: &str) -> Self {
        Self {
            folder: self.folder.clone(),
            database: Some(database.to_owned()),
            waived: self.waived,
            key: self.key.clone(),
            cookie: self.cookie.clone(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// The database, for a look at a stopped installation.
    pub async fn database(&self) -> Result<Database, StoreError> {
        let address = match &self.database {
            Some(url) => DatabaseAddress::parse(url)?,
            None => DatabaseAddress::File(config::database_path(&self.folder)),
        };
        let durability = if self.waived { Durability::Waived } else { Durability::Required };
        Database::open_with(&address, durability).await
    }

    /// Starts the server; it may not listen yet.
    pub fn start(&self, serving: &Serving) -> Started {
        let program = env!("CARGO_BIN_EXE_tillwatch");
        let mut command = match serving.under.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.args(["serve", "--listen", "127.0.0.1:0", "--log-filter", "error", "--data-dir"]);
        command.arg(&self.folder);
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        if serving.waived {
            command.arg("--i-accept-data-loss");
        }
        if !serving.broken.is_empty() {
            command.args(["--break", &serving.broken.join(",")]);
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        Started { child: Killed(child), log: self.log_path() }
    }

    /// Starts the server and waits until it listens.
    pub fn serve(&self, serving: &Serving) -> Served {
        self.start(serving).listening()
    }

    /// What servers printed to standard error, over all lives; beside the folder, for that may be on a full disk.
    fn log_path(&self) -> PathBuf {
        std::env::temp_dir().join(format!(
            "tillwatch-faults-{}-{}.log",
            std::process::id(),
            self.folder.file_name().unwrap().to_string_lossy()
        ))
    }
}

/// A child that does not outlive its owner: SIGKILL, no goodbye.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server that was started; killed when dropped.
pub struct Started {
    child: Killed,
    log: PathBuf,
}

impl Started {
    fn listening(mut self) -> Served {
        let mut lines = BufReader::new(self.child.0.stdout.take().unwrap()).lines();
        let origin = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listens on ")?;
            Some(rest.split(',').next()?.to_owned())
        });
        let Some(origin) = origin else {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            panic!("the server ended before it listened: {log}");
        };
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Served { child: self.child, origin }
    }
}

/// A running server; killed when dropped.
pub struct Served {
    child: Killed,
    /// `http://127.0.0.1:…`
    pub origin: String,
}

impl Served {
    pub fn process_id(&self) -> u32 {
        self.child.0.id()
    }

    /// How it ended, when it has by itself.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.0.try_wait().unwrap()
    }

    /// Waits for it to end by itself.
    pub fn ends_within(&mut self, span: Duration) -> Option<(ExitStatus, Duration)> {
        let begun = Instant::now();
        while begun.elapsed() < span {
            if let Some(status) = self.ended() {
                return Some((status, begun.elapsed()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
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
