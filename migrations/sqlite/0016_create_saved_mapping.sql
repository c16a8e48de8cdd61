-- How files that no format knows are read, as somebody has said it once for a store. An edit is a new version; the latest
-- that is not retired is used.

create table saved_mapping (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    store_id      INTEGER NOT NULL REFERENCES store (id),
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL CHECK (version > 0),
    text          TEXT NOT NULL,     -- a mapping file
    person_id     INTEGER NOT NULL REFERENCES person (id),
    created_at_ms INTEGER NOT NULL,
    retired_at_ms INTEGER,
    UNIQUE (store_id, name, version)
) strict;
