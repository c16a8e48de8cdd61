-- Organisations, stores, accounts; the inbox, the manifest of the lake, the rollups' durable form.
-- Statements keep to what PostgreSQL takes too; only the column types of this file differ there.

create table organisation (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    created_at_ms  INTEGER NOT NULL
) strict;

create table store (
    id              INTEGER PRIMARY KEY,
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    slug            TEXT NOT NULL,
    name            TEXT NOT NULL,
    zone            TEXT NOT NULL,
    cut_off_minutes INTEGER NOT NULL CHECK (cut_off_minutes BETWEEN 0 AND 1439),
    week_start      INTEGER NOT NULL CHECK (week_start BETWEEN 0 AND 6), -- days after Monday
    currency        TEXT NOT NULL,
    language        TEXT NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    UNIQUE (organisation_id, slug)
) strict;

-- A store's merchant account at a provider, and which of its feeds is the one that is counted.
create table account (
    store_id         INTEGER NOT NULL REFERENCES store (id),
    account          TEXT NOT NULL,
    source_of_record TEXT NOT NULL,
    created_at_ms    INTEGER NOT NULL,
    PRIMARY KEY (store_id, account)
) strict;

-- One row per group commit and stream: a columnar batch that is durable and waits to be folded, or was folded
-- and is kept for repair.
create table inbox (
    seq            INTEGER PRIMARY KEY AUTOINCREMENT,
    stream         TEXT NOT NULL CHECK (stream IN ('transactions', 'ledger_lines', 'checkout_events')),
    row_count      INTEGER NOT NULL CHECK (row_count > 0),
    arrow_ipc      BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    folded_version INTEGER,           -- null while waiting; the data version that took it in
    folded_at_ms   INTEGER
) strict;
create index inbox_waiting on inbox (seq) where folded_version is null;

-- The manifest: which files of the lake are live. Readers trust this table, never a directory listing.
create table lake_file (
    id              TEXT PRIMARY KEY,
    stream          TEXT NOT NULL,
    day             TEXT NOT NULL,    -- UTC day, ISO
    file_set        TEXT NOT NULL CHECK (file_set IN ('current', 'history')),
    state           TEXT NOT NULL CHECK (state IN ('pending', 'live', 'retired', 'quarantined')),
    path            TEXT NOT NULL,    -- below the lake's root
    row_count       INTEGER NOT NULL,
    size_bytes      INTEGER NOT NULL,
    blake3          TEXT NOT NULL,
    last_event_ms   INTEGER NOT NULL DEFAULT 0, -- the youngest completion or creation in it: prunes the cash clock
    added_version   INTEGER,
    removed_version INTEGER,
    removed_at_ms   INTEGER,
    fold_token      TEXT NOT NULL,
    created_at_ms   INTEGER NOT NULL
) strict;
create index lake_file_state on lake_file (state, stream, day);

-- One row per store and UTC day: every rollup of that day, encoded (see analytics/rollup).
create table rollup_block (
    store_id     INTEGER NOT NULL,
    day          TEXT NOT NULL,
    data_version INTEGER NOT NULL,
    cells        BLOB NOT NULL,
    PRIMARY KEY (store_id, day)
) strict;

-- The youngest event per store, stream, provider: what "data through" on a page says.
create table freshness (
    store_id         INTEGER NOT NULL,
    stream           TEXT NOT NULL,
    provider         TEXT NOT NULL,
    last_event_ms    INTEGER NOT NULL,
    last_received_ms INTEGER NOT NULL,
    PRIMARY KEY (store_id, stream, provider)
) strict;

-- One row: the version of everything that is folded. A fold commits by moving it from the version it read.
create table data_version (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    version        INTEGER NOT NULL,
    fold_token     TEXT NOT NULL,     -- the last fold's commit token: settles an unknown outcome
    format_version INTEGER NOT NULL,
    folded_at_ms   INTEGER NOT NULL
) strict;
insert into data_version (id, version, fold_token, format_version, folded_at_ms) values (1, 0, '', 1, 0);

-- How many rows each fold took in, by what they were: read = new + replaced + unchanged.
create table fold_batch (
    inbox_seq      INTEGER PRIMARY KEY,
    new_rows       INTEGER NOT NULL,
    replaced_rows  INTEGER NOT NULL,
    unchanged_rows INTEGER NOT NULL
) strict;
