-- Rollups at several levels (see analytics/levels), as compact bytes. Blocks of the first release are made anew from the
-- rows: they lack dimensions. Until that is done, `rollup_state.format` stays at 1.
create table rollup_cells (
    level        INTEGER NOT NULL,
    owner        INTEGER NOT NULL,    -- a store, or the number of a calendar
    day          INTEGER NOT NULL,    -- UTC day of hours, business day of days; days since 0001-01-01, which is 1
    data_version INTEGER NOT NULL,
    cells        BLOB NOT NULL,
    PRIMARY KEY (level, owner, day)
) strict;
-- What is there is read at every start; without the cells, that is short.
create index rollup_cells_version on rollup_cells (level, owner, day, data_version);

-- Under which calendar the levels of a store stand.
create table rollup_calendar (
    store_id        INTEGER PRIMARY KEY,
    organisation_id INTEGER NOT NULL,
    zone            TEXT NOT NULL,
    cut_off_minutes INTEGER NOT NULL
) strict;

create table rollup_state (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    format INTEGER NOT NULL
) strict;
insert into rollup_state (id, format)
    select 1, case when exists (select 1 from rollup_block) then 1 else 2 end;
