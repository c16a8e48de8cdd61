-- Lines that were rejected are sealed, can be mended, and say when they were; an import keeps how its file began.

alter table rejected_row add column sealed BYTEA NOT NULL DEFAULT ''; -- the line; empty: not kept
alter table rejected_row add column mended_at_ms BIGINT; -- null while it is rejected

-- The text up to the end of the header: what a line that was mended is read by. Null where lines cannot be read alone.
alter table import add column head TEXT COLLATE "C";
