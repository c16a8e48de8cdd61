-- Rows that are taken out without rewriting their file, what a file amounts to, batches that are set aside.

-- Places of rows that are no longer the latest version of their record; null: none. Encoded: see lake/superseded.
alter table lake_file add column superseded BYTEA;
-- Sum over one hash per row of the whole file, 32 hexadecimal digits; empty in files from before this column.
alter table lake_file add column control TEXT NOT NULL DEFAULT '';

-- Why a batch was set aside: it is kept, not folded, and holds up nothing else. Null: it was not.
alter table inbox add column held_reason TEXT;
alter table inbox add column held_at_ms BIGINT;
drop index inbox_waiting;
create index inbox_waiting on inbox (seq) where folded_version is null and held_reason is null;
create index inbox_held on inbox (seq) where held_reason is not null;
