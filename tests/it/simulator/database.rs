//! A database in memory: every call is one transaction, and what it did is durable.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;
use tillwatch::analytics::{Changes, DayBlock, Freshness, Snapshot};
use tillwatch::domain::{StoreId, Stream, Word, instant_from_ms};
use tillwatch::jobs::fold::Intent;
use tillwatch::lake::LakeFile;
use tillwatch::store::{FoldCommit, StoreError, WaitingBatch};

use super::Break;

pub struct InboxBatch {
    pub stream: Stream,
    pub rows: u64,
    pub bytes: Vec<u8>,
    pub is_folded: bool,
    pub held: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    Pending,
    Live,
    Retired,
}

pub struct FileRow {
    pub path: String,
    pub state: FileState,
    /// When it came into this state, in steps.
    pub since: u64,
    pub file: Option<LakeFile>,
}

#[derive(Default)]
pub struct State {
    pub inbox: BTreeMap<i64, InboxBatch>,
    pub next_seq: i64,
    pub files: BTreeMap<String, FileRow>,
    pub version: i64,
    /// Merged files whose rows were superseded between their reading and their commit.
    pub merges_overtaken: u64,
    /// Imports that are withdrawn: nothing of theirs comes in any more.
    pub withdrawn: BTreeSet<u8>,
    pub rows_taken_out: u64,
    pub rows_brought_back: u64,
    pub token: String,
    pub blocks: BTreeMap<(StoreId, NaiveDate), DayBlock>,
    pub freshness: BTreeMap<(StoreId, Stream, Word), Freshness>,
}

/// Rollup blocks as a commit leaves them.
pub type Blocks = Vec<(StoreId, NaiveDate, DayBlock)>;

pub struct Database {
    pub state: RefCell<State>,
    pub broken: Break,
}

impl Database {
    pub fn new(broken: Break) -> Self {
        Self { state: RefCell::default(), broken }
    }

    pub fn waiting(&self) -> Vec<WaitingBatch> {
        let state = self.state.borrow();
        let waits = |batch: &InboxBatch| !batch.is_folded && batch.held.is_none();
        let waiting = state.inbox.iter().filter(|(_, batch)| waits(batch));
        waiting
            .map(|(seq, batch)| WaitingBatch {
                seq: *seq,
                stream: batch.stream,
                rows: batch.rows,
                received_at: instant_from_ms(0),
            })
            .collect()
    }

    pub fn intend(&self, files: &[Intent], now: u64) {
        let mut state = self.state.borrow_mut();
        for (id, _, _, _, path) in files {
            let row = FileRow { path: path.clone(), state: FileState::Pending, since: now, file: None };
            assert!(state.files.insert(id.clone(), row).is_none(), "an id twice");
        }
    }

    /// The conditions of every statement first, then all their effects: a transaction.
    pub fn commit(&self, commit: &FoldCommit, blocks: &Blocks, now: u64) -> Result<i64, StoreError> {
        let mut state = self.state.borrow_mut();
        if self.broken != Break::CompareAndSet {
            check(&state, commit)?;
        }
        state.version += 1;
        state.token.clone_from(&commit.token);
        for (seq, _) in &commit.batches {
            if let Some(batch) = state.inbox.get_mut(seq) {
                batch.is_folded = true;
            }
        }
        if self.broken == Break::ExplicitList {
            let last = commit.batches.iter().map(|(seq, _)| *seq).max().unwrap_or(-1);
            state.inbox.range_mut(..=last).for_each(|(_, batch)| batch.is_folded = true);
        }
        for file in &commit.added {
            state.merges_overtaken += u64::from(!file.superseded.is_empty());
            if let Some(row) = state.files.get_mut(&file.id) {
                (row.state, row.since, row.file) = (FileState::Live, now, Some(file.clone()));
            }
        }
        for file in &commit.retired {
            if let Some(row) = state.files.get_mut(&file.id) {
                (row.state, row.since) = (FileState::Retired, now);
            }
        }
        for (file, rows) in &commit.superseded {
            if let Some(file) = state.files.get_mut(&file.id).and_then(|row| row.file.as_mut()) {
                file.superseded = Arc::clone(rows);
            }
        }
        for (key, fresh) in &commit.freshness {
            state.freshness.insert(*key, *fresh);
        }
        if self.broken != Break::RollupsInTheCommit {
            replace_blocks(&mut state, blocks);
        }
        Ok(state.version)
    }

    pub fn commit_rollups_later(&self, blocks: &Blocks) {
        replace_blocks(&mut self.state.borrow_mut(), blocks);
    }

    pub fn changed_blocks(&self, changes: &Changes) -> Blocks {
        let state = self.state.borrow();
        let apply = |((store, day), change): (&(StoreId, NaiveDate), &DayBlock)| {
            let mut block = state.blocks.get(&(*store, *day)).cloned().unwrap_or_default();
            block.apply(change);
            (*store, *day, block)
        };
        changes.iter().map(apply).collect()
    }

    pub fn load(&self) -> Snapshot {
        let state = self.state.borrow();
        let mut snapshot = Snapshot { version: state.version, ..Snapshot::default() };
        snapshot.freshness.clone_from(&state.freshness);
        for row in state.files.values().filter(|row| row.state == FileState::Live) {
            if let Some(file) = &row.file {
                snapshot.files.entry((file.stream, file.day)).or_default().push(Arc::new(file.clone()));
            }
        }
        snapshot
    }

    pub fn abandon(&self, before: u64, now: u64) -> u64 {
        if self.broken == Break::AbandonBeforeSweep {
            return 0;
        }
        let mut state = self.state.borrow_mut();
        let old = |row: &&mut FileRow| row.state == FileState::Pending && row.since < before;
        let mut abandoned = 0;
        for row in state.files.values_mut().filter(old) {
            (row.state, row.since) = (FileState::Retired, now);
            abandoned += 1;
        }
        abandoned
    }

    pub fn sweepable(&self, retired_before: u64, intended_before: u64) -> Vec<(String, String)> {
        let state = self.state.borrow();
        let is_swept = |row: &FileRow| match row.state {
            FileState::Retired => row.since < retired_before,
            FileState::Pending => self.broken == Break::AbandonBeforeSweep && row.since < intended_before,
            FileState::Live => false,
        };
        let rows = state.files.iter().filter(|(_, row)| is_swept(row));
        rows.map(|(id, row)| (id.clone(), row.path.clone())).collect()
    }

    pub fn forget(&self, id: &str) {
        let mut state = self.state.borrow_mut();
        if state.files.get(id).is_some_and(|row| row.state != FileState::Live) {
            state.files.remove(id);
        }
    }
}

fn replace_blocks(state: &mut State, blocks: &Blocks) {
    for (store, day, block) in blocks {
        if block.is_empty() {
            state.blocks.remove(&(*store, *day));
        } else {
            state.blocks.insert((*store, *day), block.clone());
        }
    }
}

/// The conditions under which every statement of a commit changes as many rows as it should.
fn check(state: &State, commit: &FoldCommit) -> Result<(), StoreError> {
    let is = |id: &str, wanted| state.files.get(id).is_some_and(|row| row.state == wanted);
    let waits = |seq| state.inbox.get(seq).is_some_and(|batch| !batch.is_folded && batch.held.is_none());
    if state.version != commit.base_version {
        return Err(StoreError::Conflict("the data version"));
    }
    if !commit.batches.iter().all(|(seq, _)| waits(seq)) {
        return Err(StoreError::Conflict("an inbox batch"));
    }
    if !commit.added.iter().all(|file| is(&file.id, FileState::Pending)) {
        return Err(StoreError::Conflict("a new file"));
    }
    // Files become live before lists are replaced: a new one may come with a list.
    let is_new = |id: &str| commit.added.iter().any(|file| file.id == id);
    let lists = commit.superseded.iter().map(|(file, _)| file).filter(|file| !is_new(&file.id));
    if !commit.retired.iter().chain(lists).all(|file| is(&file.id, FileState::Live)) {
        return Err(StoreError::Conflict("a live file"));
    }
    Ok(())
}
