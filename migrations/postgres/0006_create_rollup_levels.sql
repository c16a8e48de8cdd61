-- Rollups at several levels (see analytics/levels), as compact bytes. Blocks of the first release are made anew from the
-- rows: they lack dimensions. Until that is done, `rollup_state.format` stays at 1.
create table rollup_cells (
    level        BIGINT NOT NULL,
    owner        BIGINT NOT NULL,     -- a store, or the number of a calendar
    day          BIGINT NOT NULL,     -- UTC day of hours, business day of days; days since 0001-01-01, which is 1
    data_version BIGINT NOT NULL,
    cells        BYTEA NOT NULL,
    PRIMARY KEY (level, owner, day)
);
-- They are compressed already.
alter table rollup_cells alter column cells set storage external;
-- What is there is read at every start; without the cells, that is short.
create index rollup_cells_version on rollup_cells (level, owner, day, data_version);

-- Under which calendar the levels of a store stand.
create table rollup_calendar (
    store_id        BIGINT PRIMARY KEY,
    organisation_id BIGINT NOT NULL,
    zone            TEXT COLLATE "C" NOT NULL,
    cut_off_minutes BIGINT NOT NULL
);

create table rollup_state (
    id     BIGINT PRIMARY KEY CHECK (id = 1),
    format BIGINT NOT NULL
);
insert into rollup_state (id, format)
    select 1, case when exists (select 1 from rollup_block) then 1 else 2 end;
