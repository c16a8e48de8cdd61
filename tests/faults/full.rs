//! The long runs, by `tests/full SCENARIO [--kills N] …`: the same code as the tests with larger numbers.

use std::time::Duration;

use tillwatch::domain::Sabotage;

use crate::away::Away;
use crate::crowd::Crowd;
use crate::damage::Damage;
use crate::disk_errors::DiskErrors;
use crate::disk_full::DiskFull;
use crate::network::Network;
use crate::power::Power;
use crate::rig::Serving;
use crate::sigkill::{Engine, Sigkill};

/// The command of `tests/full`, in one variable, for the test harness takes no arguments of ours.
const COMMAND: &str = "TILLWATCH_FAULTS";

/// What follows `--name`, as a number or as text.
struct Options(Vec<String>);

impl Options {
    fn text(&self, name: &str) -> Option<&str> {
        let place = self.0.iter().position(|word| word == name)?;
        Some(self.0.get(place + 1).unwrap_or_else(|| panic!("{name} needs a value")))
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        let Some(text) = self.text(name) else { return default };
        text.replace('_', "").parse().unwrap_or_else(|_| panic!("{name}: `{text}` is no number"))
    }

    fn seed(&self) -> u64 {
        self.number("--seed", 1)
    }

    fn rows_per_batch(&self, default: u64) -> usize {
        usize::try_from(self.number("--batch", default)).unwrap()
    }

    fn engine(&self) -> Engine {
        match self.text("--engine") {
            None | Some("sqlite") => Engine::Sqlite,
            Some("postgres") => Engine::Postgres,
            Some(other) => panic!("--engine: `{other}` is neither sqlite nor postgres"),
        }
    }

    fn serving(&self) -> Serving {
        self.text("--break").map_or_else(Serving::default, Serving::breaking)
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the configuration of the service is not concerned")]
#[ignore = "a long run, by tests/full"]
fn full() {
    let command = std::env::var(COMMAND).expect("run by tests/full");
    let mut words = command.split_whitespace().map(str::to_owned);
    let scenario = words.next().expect("a scenario");
    let options = Options(words.collect());
    #[cfg(not(debug_assertions))]
    no_promise_can_be_broken();
    let clean = if scenario == "damage" {
        // Pages are asked within the process, by actix.
        actix_web::rt::System::new().block_on(damage(&options).run()).is_clean()
    } else {
        tokio::runtime::Runtime::new().unwrap().block_on(run(&scenario, &options))
    };
    assert!(clean, "{command}: a promise was broken, or nothing could be shown");
}

/// A release build does not know the option that breaks promises.
#[cfg(not(debug_assertions))]
fn no_promise_can_be_broken() {
    let mut serve = std::process::Command::new(env!("CARGO_BIN_EXE_tillwatch"));
    let asked = serve.args(["serve", "--break", "no-fsync", "--data-dir", "/nonexistent"]).output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.code() == Some(2) && said.contains("unexpected argument '--break'"), "{said}");
}

/// True when the promise was kept; false too where it could not be tried.
async fn run(scenario: &str, options: &Options) -> bool {
    let folder = tempfile::tempdir().unwrap();
    match scenario {
        "sigkill" => sigkill(options).run(folder.path()).await.is_some_and(|found| found.is_clean()),
        "power" => power(options).run().await.is_some_and(|cuts| cuts.first.is_none()),
        "disk-errors" => {
            let errors = disk_errors(options);
            let stops = errors.run(folder.path()).await;
            stops.is_some_and(|stops| stops.stopped == errors.runs && stops.findings.is_clean())
        }
        "disk-full" => {
            let filling = disk_full(options);
            filling.run().await.is_some_and(|seen| seen.is_clean(filling.times))
        }
        "crowd" => crowd(options).run(folder.path()).await.is_some_and(|calm| calm.is_kept()),
        "database" => {
            let away = away(options);
            away.run(folder.path()).await.is_some_and(|seen| seen.is_clean(away.times))
        }
        "network" => {
            let network = network(options);
            network.run(folder.path()).await.is_some_and(|seen| seen.is_clean(network.cuts))
        }
        other => panic!("there is no scenario `{other}`"),
    }
}

fn sigkill(options: &Options) -> Sigkill {
    Sigkill {
        kills: options.number("--kills", 500),
        rows: options.number("--rows", 10_500_000),
        rows_per_batch: options.rows_per_batch(2_000),
        senders: options.number("--senders", 8),
        quiet_one_in: 6,
        quiet_ms_max: 2_000,
        check_every: options.number("--check-every", 100),
        seed: options.seed(),
        engine: options.engine(),
        serving: options.serving(),
    }
}

fn power(options: &Options) -> Power {
    Power {
        cuts: options.number("--cuts", 300),
        cuts_per_disk: options.number("--cuts-per-disk", 20),
        rows_per_batch: options.rows_per_batch(500),
        senders: options.number("--senders", 4),
        after_ms: (50, options.number("--within-ms", 1_200)),
        seed: options.seed(),
        engine: options.engine(),
        settings: &[],
        serving: options.serving(),
    }
}

fn disk_errors(options: &Options) -> DiskErrors {
    DiskErrors {
        runs: options.number("--runs", 100),
        rows_per_batch: options.rows_per_batch(500),
        senders: options.number("--senders", 4),
        seed: options.seed(),
        serving: options.serving(),
    }
}

fn disk_full(options: &Options) -> DiskFull {
    DiskFull {
        times: options.number("--times", 20),
        rows_per_batch: options.rows_per_batch(500),
        senders: options.number("--senders", 4),
        seed: options.seed(),
        serving: options.serving(),
    }
}

fn away(options: &Options) -> Away {
    Away {
        times: options.number("--times", 200),
        pause_ms: (2_000, 6_000),
        rows_per_batch: options.rows_per_batch(500),
        senders: options.number("--senders", 6),
        seed: options.seed(),
        serving: options.serving(),
    }
}

fn network(options: &Options) -> Network {
    Network {
        cuts: options.number("--cuts", 300),
        one_in: options.number("--one-in", 10),
        rows_per_batch: options.rows_per_batch(500),
        senders: options.number("--senders", 6),
        seed: options.seed(),
        serving: options.serving(),
    }
}

fn damage(options: &Options) -> Damage {
    let mutations = options.number("--mutations", 5_000);
    Damage { mutations, seed: options.seed(), sabotage: Sabotage::default() }
}

fn crowd(options: &Options) -> Crowd {
    Crowd {
        idle: options.number("--connections", 10_000),
        dripping: options.number("--dripping", 500),
        measure: Duration::from_secs(options.number("--seconds", 30)),
        stutter: false,
    }
}
