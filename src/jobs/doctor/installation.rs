use std::fs;

use anyhow::Context;

use crate::analytics::Snapshot;
use crate::jobs::disk::room_of;

use super::checkup::Checkup;
use super::{Hears, Patient, Progress};

/// The first day on which a clock may stand: earlier, it was never set.
const CLOCK_EARLIEST: &str = "2026-01-01T00:00:00Z";
/// Bytes of `secret.key`.
const SECRET_BYTES: u64 = 32;

/// The secret and the disk.
pub(super) fn examine(checkup: &mut Checkup, patient: &Patient<'_>) -> anyhow::Result<()> {
    examine_secret(checkup, patient);
    let room = room_of(patient.folder).context("asking for free disk space")?;
    let says = format!("{} of {} bytes are free", room.free, room.total);
    if room.level().is_plenty() {
        checkup.well("disk", says);
    } else {
        checkup.found(
            "disk",
            format!("the disk is nearly full: {says}"),
            "below 5 %, on large disks below 1 GiB, no record is taken in; senders must send again later",
            "make room, or move the data folder to a larger disk",
        );
    }
    Ok(())
}

fn examine_secret(checkup: &mut Checkup, patient: &Patient<'_>) {
    let path = patient.folder.join("secret.key");
    let Ok(file) = fs::metadata(&path) else {
        checkup.found(
            "secret",
            "secret.key is missing",
            "no API key works, and customers of before cannot be told to be the same as those of later",
            "put it back from where you keep it, before the next start: a start without it makes a new one",
        );
        return;
    };
    if file.len() != SECRET_BYTES {
        checkup.found(
            "secret",
            format!("secret.key has {} bytes where it should have {SECRET_BYTES}", file.len()),
            "the server does not start",
            "put the right file back from where you keep it",
        );
        return;
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o777;
    let of_others = mode & 0o077;
    if of_others == 0 {
        checkup.well("secret", "secret.key is there and only its owner reads it");
    } else {
        checkup.found(
            "secret",
            format!("secret.key can be read by others (mode {mode:o})"),
            "who has it and the database can find out which customer is which",
            format!("chmod 600 {}", path.display()),
        );
    }
}

/// False when the database has another shape than this program knows: nothing more can be asked of it.
pub(super) async fn schema_is_known(checkup: &mut Checkup, patient: &Patient<'_>) -> anyhow::Result<bool> {
    let schema = patient.database.schema().await.context("reading the schema's version")?;
    if schema.applied == schema.known && schema.pending == 0 {
        checkup.well("versions", format!("migration {} is the newest known", schema.applied));
        return Ok(true);
    }
    let (means, todo) = if schema.applied > schema.known {
        ("this program must not touch the data", "install the newer Tillwatch that wrote them")
    } else {
        (
            "the next start brings it up to date, and keeps a copy of it first",
            "start the server once, then run the doctor again",
        )
    };
    checkup.found(
        "versions",
        format!("the database is at migration {}, this program knows {}", schema.applied, schema.known),
        means,
        todo,
    );
    Ok(false)
}

/// What the database says of itself.
pub(super) async fn examine_database(
    checkup: &mut Checkup,
    patient: &Patient<'_>,
    hears: &Hears,
) -> anyhow::Result<()> {
    hears(Progress { check: "database", done: 0, of: 1 });
    match patient.database.integrity_faults().await {
        Ok(None) => checkup
            .leave_out("database", "PostgreSQL looks after its own files: see its checksums and pg_amcheck"),
        Ok(Some(faults)) if faults.is_empty() => {
            checkup.well("database", "the integrity check finds nothing");
        }
        Ok(Some(faults)) => checkup.found(
            "database",
            format!("the database file is damaged: {}", faults.join("; ")),
            "any page may be wrong, and records may be lost",
            "stop the server and restore the newest backup; keep the damaged folder",
        ),
        Err(error) => checkup.found(
            "database",
            format!("the database could not be checked: {error}"),
            "whether figures are right is not known",
            "see to what it says, then run the doctor again",
        ),
    }
    hears(Progress { check: "database", done: 1, of: 1 });
    checkup.well("sizes", format!("the database has {} bytes", patient.database.size_bytes()));
    Ok(())
}

/// The machine's clock against the youngest thing that was written.
pub(super) fn examine_clock(checkup: &mut Checkup, patient: &Patient<'_>, snapshot: &Snapshot) {
    let youngest =
        snapshot.freshness.values().map(|fresh| fresh.last_received).chain([snapshot.folded_at]).max();
    let earliest = CLOCK_EARLIEST.parse().unwrap_or(patient.now);
    let behind = youngest.filter(|youngest| *youngest > patient.now + chrono::TimeDelta::minutes(1));
    match behind {
        _ if patient.now < earliest => checkup.found(
            "clock",
            format!("the machine's clock says {}", patient.now),
            "records that come in now are dated wrongly",
            "set the clock (timedatectl set-ntp true)",
        ),
        Some(youngest) => checkup.found(
            "clock",
            format!("the machine's clock says {}, but something was written at {youngest}", patient.now),
            "the clock was set back, or was wrong before: times of receipt near then are not to be trusted",
            "set the clock (timedatectl set-ntp true)",
        ),
        None => checkup.well("clock", format!("it is {}", patient.now.format("%Y-%m-%d %H:%M:%S UTC"))),
    }
}
