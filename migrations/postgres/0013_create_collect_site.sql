-- As in migrations/sqlite, but for the column types.
create table collect_site (
    id            TEXT COLLATE "C" PRIMARY KEY,
    store_id      BIGINT NOT NULL REFERENCES store (id),
    name          TEXT COLLATE "C" NOT NULL,
    origins       TEXT COLLATE "C" NOT NULL,
    created_at_ms BIGINT NOT NULL,
    last_event_ms BIGINT,
    removed_at_ms BIGINT
);
