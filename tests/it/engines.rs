//! PostgreSQL for tests: a server of our own, or the one that `tests/run` has started for all of them.
//!
//! The unit tests of `src/store` include this file too, so it needs nothing but the standard library.
#![allow(clippy::disallowed_methods, reason = "tests are told by the environment where the server is")]

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The folder of a running server's socket, for every test of a run; its owner `postgres` is asked for no password.
const SHARED: &str = "TILLWATCH_TEST_POSTGRES";

/// `postgres` makes the tests that ask [`database_in`] run on PostgreSQL; `tests/run` runs them once per engine.
const ENGINE: &str = "TILLWATCH_TEST_ENGINE";

/// The address of a test's database: a file in its folder, or a fresh database on PostgreSQL, which lives as long as the
/// second value.
pub fn database_in(folder: &Path) -> (String, Option<Postgres>) {
    if std::env::var_os(ENGINE).is_none_or(|engine| engine != "postgres") {
        return (folder.join("tillwatch.db").display().to_string(), None);
    }
    let postgres = Postgres::fresh().expect("TILLWATCH_TEST_ENGINE=postgres needs PostgreSQL");
    (postgres.address(), Some(postgres))
}

/// Databases and servers that this process has made so far.
static MADE: AtomicU32 = AtomicU32::new(0);

/// An empty database on a PostgreSQL server.
pub struct Postgres {
    folder: PathBuf,
    name: String,
    /// Ours alone; stops when dropped.
    server: Option<PostgresServer>,
}

impl Postgres {
    /// A fresh database; `None`, said visibly, where PostgreSQL is not installed.
    pub fn fresh() -> Option<Self> {
        let bin = binaries()?;
        let alone = std::env::var_os(SHARED).is_none();
        let server = alone.then(|| PostgresServer::start(&bin, &std::env::temp_dir(), &[]));
        let folder = server.as_ref().map_or_else(
            || PathBuf::from(std::env::var_os(SHARED).unwrap_or_default()),
            |server| server.folder.clone(),
        );
        let name = format!("t{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        psql(&bin, &folder, &format!("create database {name} encoding 'UTF8' template template0"));
        Some(Self { folder, name, server })
    }

    /// `postgres://…`
    pub fn address(&self) -> String {
        format!("postgres:///{}?host={}&user=postgres", self.name, self.folder.display())
    }

    /// The folder of the server's socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a statement as the server's owner and returns what it prints, without headings.
    pub fn ask(&self, statement: &str) -> String {
        let output = run_psql(&binaries().unwrap(), &self.folder, &self.name, statement);
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// The server, to stop and start it. A database made for this is never on the shared one.
    pub fn server(&mut self) -> &mut PostgresServer {
        self.server.as_mut().expect("ask for `alone` to own the server")
    }

    /// A fresh database on a server that no other test uses.
    pub fn alone() -> Option<Self> {
        Self::alone_in(&std::env::temp_dir(), &[])
    }

    /// The same with its files below this folder, which `postgres` must be able to enter, and with these settings.
    pub fn alone_in(place: &Path, settings: &'static [&'static str]) -> Option<Self> {
        let bin = binaries()?;
        let server = PostgresServer::start(&bin, place, settings);
        let folder = server.folder.clone();
        psql(&bin, &folder, "create database alone encoding 'UTF8' template template0");
        Some(Self { folder, name: "alone".to_owned(), server: Some(server) })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.server.is_none()
            && let Some(bin) = binaries()
        {
            let drop = format!("drop database if exists {} with (force)", self.name);
            run_psql(&bin, &self.folder, "postgres", &drop);
        }
    }
}

/// A server in a temporary folder, listening on a socket in it. It ends with the thread that has started it.
pub struct PostgresServer {
    bin: PathBuf,
    folder: PathBuf,
    settings: &'static [&'static str],
    child: Option<Child>,
}

impl PostgresServer {
    fn start(bin: &Path, place: &Path, settings: &'static [&'static str]) -> Self {
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("tillwatch-pg-{}-{made}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        if let Some((user, group)) = postgres_user() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let mut initdb = as_postgres(&bin.join("initdb"));
        initdb.args([
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ]);
        let made = initdb.arg(folder.join("data")).output().unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { bin: bin.to_owned(), folder, settings, child: None };
        server.run();
        server
    }

    /// Starts it (again) and waits until it answers.
    pub fn run(&mut self) {
        let mut command = as_postgres(&self.bin.join("postgres"));
        command.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
        let usual = ["listen_addresses=", "max_connections=200", "shared_buffers=64MB"];
        for setting in usual.iter().chain(self.settings) {
            command.arg("-c").arg(setting);
        }
        let log = fs::File::create(self.folder.join("log")).unwrap();
        self.child = Some(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let patience = Instant::now() + Duration::from_mins(1);
        while !run_psql(&self.bin, &self.folder, "postgres", "select 1").status.success() {
            assert!(Instant::now() < patience, "{}", fs::read_to_string(self.folder.join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as a crash would: what is not in the write-ahead log is lost.
    pub fn stop_at_once(&mut self) {
        let mut stop = as_postgres(&self.bin.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D"]).arg(self.folder.join("data")).stdout(Stdio::null());
        stop.status().unwrap();
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop_at_once();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The folder of PostgreSQL's programs: the newest version of Debian's, else wherever `postgres` is found.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("initdb").exists());
    let bin = found.pop().map(|(_, bin)| bin).or_else(on_path);
    if bin.is_none() {
        println!(
            "skipped: PostgreSQL is not installed, so nothing was tried on it (apt-get install postgresql)"
        );
    }
    bin
}

/// Number and group of the user `postgres` where we are root, for whom the server does not run.
fn postgres_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let people = fs::read_to_string("/etc/passwd").unwrap();
    let line = people.lines().find(|line| line.starts_with("postgres:")).expect("there is no user postgres");
    let mut fields = line.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

/// A command that runs as somebody PostgreSQL runs for, and ends when we end.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if postgres_user().is_some() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program).current_dir("/");
    command
}

fn run_psql(bin: &Path, folder: &Path, database: &str, statement: &str) -> Output {
    Command::new(bin.join("psql"))
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=postgres", "--host"])
        .arg(folder)
        .args(["--dbname", database, "--command", statement])
        .output()
        .unwrap()
}

fn psql(bin: &Path, folder: &Path, statement: &str) {
    let output = run_psql(bin, folder, "postgres", statement);
    assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
}
