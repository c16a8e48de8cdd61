-- Where providers tell of payments as they happen: addresses, their secrets, what came that could not be proved.

create table webhook_endpoint (
    id              TEXT PRIMARY KEY,      -- stands in the address; cannot be guessed
    store_id        INTEGER NOT NULL REFERENCES store (id),
    provider        TEXT NOT NULL,
    account         TEXT NOT NULL,         -- the merchant's id at the provider
    mode            TEXT NOT NULL CHECK (mode IN ('live', 'test')),
    app_id          TEXT NOT NULL,         -- Alipay's app_id; empty where notices name none
    manual_capture  INTEGER NOT NULL,      -- Adyen: 1 where an authorised payment is not yet taken in
    created_at_ms   INTEGER NOT NULL,
    disabled_at_ms  INTEGER,
    last_event_ms   INTEGER                -- to the minute
) strict;
create index webhook_endpoint_store on webhook_endpoint (store_id);

-- Several live at once, so that a secret can be changed without a gap.
create table webhook_secret (
    id           TEXT PRIMARY KEY,
    endpoint_id  TEXT NOT NULL REFERENCES webhook_endpoint (id),
    kind         TEXT NOT NULL,            -- what it opens or proves
    key_name     TEXT NOT NULL,            -- serial of a certificate, id of a public key; empty where there is none
    sealed       BLOB NOT NULL,            -- store::Seal; bound to this row
    fingerprint  TEXT NOT NULL,
    added_at_ms  INTEGER NOT NULL,
    last_used_ms INTEGER,                  -- to the minute
    until_ms     INTEGER                   -- not used from then on
) strict;
create index webhook_secret_endpoint on webhook_secret (endpoint_id);

-- What could not be proved or was not meant for us, counted and never kept.
create table webhook_refusal (
    endpoint_id TEXT NOT NULL REFERENCES webhook_endpoint (id),
    hour_ms     INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    refusals    INTEGER NOT NULL,
    primary key (endpoint_id, hour_ms, reason)
) strict;

-- Notices that are proved and could not be read: sealed, for a short while, for somebody to look at.
create table webhook_rejected (
    id             TEXT PRIMARY KEY,
    endpoint_id    TEXT NOT NULL REFERENCES webhook_endpoint (id),
    received_at_ms INTEGER NOT NULL,
    event          TEXT NOT NULL,
    field          TEXT NOT NULL,
    code           TEXT NOT NULL,
    sealed         BLOB NOT NULL           -- empty where a card number was suspected
) strict;
create index webhook_rejected_endpoint on webhook_rejected (endpoint_id, received_at_ms);

-- What notices said about one payment, refund or dispute where no single one says all of it. The row in the lake is
-- made from all of them together, so the order in which they came does not matter.
create table webhook_fact (
    store_id       INTEGER NOT NULL REFERENCES store (id),
    provider       TEXT NOT NULL,
    account        TEXT NOT NULL,
    test           INTEGER NOT NULL,
    subject        TEXT NOT NULL,
    fact_key       TEXT NOT NULL,
    fact           TEXT NOT NULL,          -- JSON, without what points to a shopper
    customer       TEXT,                   -- pseudonym
    received_at_ms INTEGER NOT NULL,
    primary key (store_id, provider, account, test, subject, fact_key)
) strict;
create index webhook_fact_received on webhook_fact (received_at_ms);
create index webhook_fact_customer on webhook_fact (customer);
