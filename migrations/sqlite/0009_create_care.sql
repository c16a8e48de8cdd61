-- Looking after the data: files that cannot be trusted, who may read and write, what was done and why, who was
-- erased, and backups that run.

alter table lake_file add column quarantine_reason TEXT;
alter table lake_file add column quarantined_at_ms INTEGER;
alter table lake_file add column verified_at_ms INTEGER; -- when a scrub last read the whole file and found it right

-- One row: the oldest formats that may read and write these data; checked by every program before its first write.
create table data_format (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    min_reader INTEGER NOT NULL,
    min_writer INTEGER NOT NULL,
    written_by TEXT NOT NULL          -- the version of Tillwatch that asked for it: what to install
) strict;
insert into data_format (id, min_reader, min_writer, written_by) values (1, 1, 1, '0.1.0');

-- What looking after changed, for ever: a file set aside or given back, a loss accepted, days dropped, a person erased.
create table care_log (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,            -- file, days, or empty; never a person
    detail  TEXT NOT NULL
) strict;

-- People who were erased, by a hash of their pseudonym: enough to find them again in a restored backup, not to find
-- them here.
create table erasure (
    person_hash TEXT PRIMARY KEY,
    basis       TEXT NOT NULL,
    asked_at_ms INTEGER NOT NULL,
    done_at_ms  INTEGER               -- null until every file has been rewritten
) strict;

-- Backups that run: while one does, no file is removed. A backup that dies lets go at `until_ms`.
create table backup_hold (
    token    TEXT PRIMARY KEY,
    until_ms INTEGER NOT NULL
) strict;
