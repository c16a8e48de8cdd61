-- Reconciliation: the books of each source day, what people decided about them, which periods are closed.
-- The books hold sums and findings, never rows; they can be made anew from the lake at any time.

-- What a merchant account agreed on. Rows of one account replace each other: the decisions themselves are actions.
create table reconciliation_account (
    store_id        INTEGER NOT NULL REFERENCES store (id),
    rail            TEXT NOT NULL,   -- provider, or cash and stored_value
    account         TEXT NOT NULL,   -- default: every account of the provider without a row of its own
    cycle_days      INTEGER NOT NULL CHECK (cycle_days BETWEEN 0 AND 60),
    working_days    INTEGER NOT NULL CHECK (working_days IN (0, 1)),
    tolerance_minor INTEGER NOT NULL CHECK (tolerance_minor >= 0),
    tolerance_ppm   INTEGER NOT NULL CHECK (tolerance_ppm BETWEEN 0 AND 1000000),
    reference       TEXT NOT NULL,
    bank_account    TEXT NOT NULL,
    bank_text       TEXT NOT NULL,
    first_day       TEXT,            -- ISO; null: everything
    PRIMARY KEY (store_id, rail, account)
) strict;

-- Of which rows of the lake the books were made: one row per stream and UTC day.
create table reconciliation_partition (
    stream      TEXT NOT NULL,
    day         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,       -- of the day's files and of the rules
    source_days TEXT NOT NULL,       -- JSON: organisation and source day of everything in it
    PRIMARY KEY (stream, day)
) strict;

-- Source days whose books are older than their rows.
create table reconciliation_due (
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    day             TEXT NOT NULL,
    PRIMARY KEY (organisation_id, day)
) strict;

create table reconciliation_day (
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    day             TEXT NOT NULL,
    sums            TEXT NOT NULL,   -- JSON: by store and currency; all that the foot of a report needs
    buckets         TEXT NOT NULL,   -- JSON: sums by account
    details         TEXT NOT NULL,   -- JSON: findings, payouts, bank lines
    computed_at_ms  INTEGER NOT NULL,
    PRIMARY KEY (organisation_id, day)
) strict;

-- What people decided; only ever added to.
create table reconciliation_action (
    id            INTEGER PRIMARY KEY,
    store_id      INTEGER NOT NULL REFERENCES store (id),
    kind          TEXT NOT NULL CHECK (kind IN ('match', 'unmatch', 'accept', 'note')),
    finding       TEXT NOT NULL,     -- 32 hex digits
    other_finding TEXT,
    person        TEXT NOT NULL,
    reason        TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) strict;
create index reconciliation_action_store on reconciliation_action (store_id);

-- Closed periods with the figures as they were; only ever added to.
create table reconciliation_closing (
    id            INTEGER PRIMARY KEY,
    store_id      INTEGER NOT NULL REFERENCES store (id),
    first_day     TEXT NOT NULL,
    last_day      TEXT NOT NULL,
    statement     TEXT NOT NULL,     -- JSON: the sums by account, currency and class
    person        TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL
) strict;
create index reconciliation_closing_store on reconciliation_closing (store_id, first_day);
