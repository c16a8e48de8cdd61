-- People, their sessions, API keys, the one-time set-up token, settings.
-- Of every secret only a hash is kept: a stolen copy of this file opens nothing.

create table person (
    id            INTEGER PRIMARY KEY,
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    email         TEXT NOT NULL UNIQUE,   -- lower case
    name          TEXT NOT NULL,
    password_hash TEXT NOT NULL,          -- Argon2id, PHC string
    role          TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    all_stores    INTEGER NOT NULL CHECK (all_stores IN (0, 1)),
    language      TEXT NOT NULL,          -- empty: the browser's
    created_at_ms INTEGER NOT NULL,
    disabled_at_ms INTEGER
) strict;

-- The stores a person without `all_stores` may see.
create table person_store (
    person_id INTEGER NOT NULL REFERENCES person (id),
    store_id  INTEGER NOT NULL REFERENCES store (id),
    PRIMARY KEY (person_id, store_id)
) strict;

create table session (
    id            INTEGER PRIMARY KEY,
    token_sha256  BLOB NOT NULL UNIQUE,
    person_id     INTEGER NOT NULL REFERENCES person (id),
    client        TEXT NOT NULL,          -- what the browser calls itself, cut short; for the list of sessions
    created_at_ms INTEGER NOT NULL,
    last_seen_ms  INTEGER NOT NULL,       -- to the minute: a page view seldom writes
    ends_at_ms    INTEGER NOT NULL,
    revoked_at_ms INTEGER
) strict;
create index session_person on session (person_id);

create table api_key (
    id              TEXT PRIMARY KEY,     -- the eight characters that stand open in the key
    organisation_id INTEGER NOT NULL REFERENCES organisation (id),
    name            TEXT NOT NULL,
    scope           TEXT NOT NULL CHECK (scope IN ('ingest', 'read')),
    mode            TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    all_stores      INTEGER NOT NULL CHECK (all_stores IN (0, 1)),
    secret_hmac     BLOB NOT NULL,
    created_at_ms   INTEGER NOT NULL,
    last_used_ms    INTEGER,              -- to the hour
    revoked_at_ms   INTEGER
) strict;

create table api_key_store (
    api_key_id TEXT NOT NULL REFERENCES api_key (id),
    store_id   INTEGER NOT NULL REFERENCES store (id),
    PRIMARY KEY (api_key_id, store_id)
) strict;

-- At most one row: the link that the first start prints. Gone once a person exists.
create table setup_token (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    token_sha256 BLOB NOT NULL,
    ends_at_ms   INTEGER NOT NULL
) strict;

create table setting (
    name          TEXT PRIMARY KEY,
    content       TEXT NOT NULL,
    changed_at_ms INTEGER NOT NULL
) strict;
