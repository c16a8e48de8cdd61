-- Files that were handed in on a page and wait for a person's yes; the source's days that each import holds.

create table pending_import (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    store_id      INTEGER NOT NULL REFERENCES store (id),
    person_id     INTEGER NOT NULL REFERENCES person (id),
    file_name     TEXT NOT NULL,      -- for people; never a path
    place         TEXT NOT NULL,      -- name in the folder of uploads; empty when the file is not kept
    size_bytes    INTEGER NOT NULL,   -- of what is kept
    sha256        TEXT NOT NULL,      -- of the file as it was handed in
    mapping       TEXT,               -- text of a mapping file
    account       TEXT NOT NULL,      -- of which the file is, where it does not say so; empty: not said
    diagnosis     TEXT,               -- JSON; null while the file is being read
    created_at_ms INTEGER NOT NULL,
    expires_at_ms INTEGER NOT NULL
) strict;
create index pending_import_store on pending_import (store_id, created_at_ms);
create index pending_import_expiry on pending_import (expires_at_ms);

-- Which of a source's own days an import has rows of; 0 rows: the bill says that nothing happened that day.
create table import_day (
    import_id INTEGER NOT NULL REFERENCES import (id),
    provider  TEXT NOT NULL,
    account   TEXT NOT NULL,
    day       TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    PRIMARY KEY (import_id, provider, account, day)
) strict;
create index import_day_day on import_day (day);
create index import_day_account on import_day (provider, account);
