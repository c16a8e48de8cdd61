-- Sites whose pages tell of their checkout from the shopper's browser: a public id that can only write checkout events,
-- bound to one store and to the origins of its pages.
create table collect_site (
    id            TEXT PRIMARY KEY,     -- lower-case letters; stands open in the shop's pages
    store_id      INTEGER NOT NULL REFERENCES store (id),
    name          TEXT NOT NULL,
    origins       TEXT NOT NULL,        -- one a line, as browsers write them: https://shop.example.com
    created_at_ms INTEGER NOT NULL,
    last_event_ms INTEGER,              -- to ten seconds
    removed_at_ms INTEGER
) strict;
