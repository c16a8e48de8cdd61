-- Files that were taken in, or refused, and the lines of them that were rejected.

create table import (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    store_id       INTEGER NOT NULL REFERENCES store (id),
    sha256         TEXT NOT NULL,
    mapping_sha256 TEXT NOT NULL,     -- empty where the format is known by itself
    file_name      TEXT NOT NULL,
    size_bytes     INTEGER NOT NULL,
    provider       TEXT NOT NULL,
    variant        TEXT NOT NULL,
    encoding       TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('running', 'done', 'refused', 'failed')),
    code           TEXT NOT NULL,     -- why it was refused
    sentence_en    TEXT NOT NULL,
    sentence_zh    TEXT NOT NULL,
    lines_read     INTEGER NOT NULL,  -- = accepted + rejected + not data
    lines_accepted INTEGER NOT NULL,
    lines_rejected INTEGER NOT NULL,
    lines_not_data INTEGER NOT NULL,
    row_count      INTEGER NOT NULL,  -- records; several lines may be one
    totals         TEXT NOT NULL,
    first_day      TEXT,              -- of the source's own days
    last_day       TEXT,
    progress_ppm   INTEGER NOT NULL,
    created_at_ms  INTEGER NOT NULL,
    finished_at_ms INTEGER,
    UNIQUE (store_id, sha256, mapping_sha256)
) strict;
create index import_newest on import (store_id, created_at_ms);

-- The inbox batches an import went into; `fold_batch` tells what became of them.
create table import_batch (
    import_id INTEGER NOT NULL REFERENCES import (id),
    inbox_seq INTEGER NOT NULL,
    row_count INTEGER NOT NULL
) strict;
create index import_batch_import on import_batch (import_id);

-- Lines that were not taken, without what points to a shopper. `raw` is null where a card number was suspected.
create table rejected_row (
    import_id INTEGER NOT NULL REFERENCES import (id),
    line      INTEGER NOT NULL,
    field     TEXT NOT NULL,
    code      TEXT NOT NULL,
    sentence  TEXT NOT NULL,
    raw       TEXT
) strict;
create index rejected_row_import on rejected_row (import_id, line);
