-- Imports that somebody asked to undo: a job takes their rows out, a day at a time.
create table import_withdrawal (
    id           INTEGER PRIMARY KEY,
    import_id    INTEGER NOT NULL REFERENCES import (id),
    asked_by     TEXT NOT NULL,
    asked_at_ms  INTEGER NOT NULL,
    done_at_ms   INTEGER,            -- null until every row is out
    taken_out    INTEGER NOT NULL,   -- rows that were counted and are no more, so far
    brought_back INTEGER NOT NULL    -- earlier versions that count again in their place
) strict;
create index import_withdrawal_import on import_withdrawal (import_id, id);
-- One at a time for an import.
create unique index import_withdrawal_open on import_withdrawal (import_id) where done_at_ms is null;

-- 1 where each row says which import brought it; rows of earlier imports do not, so those cannot be undone.
alter table import add column traceable INTEGER NOT NULL DEFAULT 0;
