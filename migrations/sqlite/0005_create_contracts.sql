-- What a provider said it would charge: the measure for what it did charge. A change of rate is a new row.
create table contract_rate (
    id              INTEGER PRIMARY KEY,
    store_id        INTEGER NOT NULL REFERENCES store (id),
    provider        TEXT NOT NULL,
    method          TEXT,                  -- null: every method of the provider that has no row of its own
    valid_from      TEXT NOT NULL,         -- business day, ISO; included
    valid_until     TEXT,                  -- business day, ISO; included; null while it lasts
    rate_ppm        INTEGER NOT NULL CHECK (rate_ppm BETWEEN 0 AND 1000000),
    fixed_minor     INTEGER NOT NULL CHECK (fixed_minor >= 0),
    rounding        TEXT NOT NULL CHECK (rounding IN ('half_up', 'half_even', 'up', 'down')),
    created_at_ms   INTEGER NOT NULL
) strict;
create index contract_rate_store on contract_rate (store_id, provider);
