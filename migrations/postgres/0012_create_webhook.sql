-- As in migrations/sqlite, but for the column types.

create table webhook_endpoint (
    id              TEXT COLLATE "C" PRIMARY KEY,      -- stands in the address; cannot be guessed
    store_id        BIGINT NOT NULL REFERENCES store (id),
    provider        TEXT COLLATE "C" NOT NULL,
    account         TEXT COLLATE "C" NOT NULL,         -- the merchant's id at the provider
    mode            TEXT COLLATE "C" NOT NULL CHECK (mode IN ('live', 'test')),
    app_id          TEXT COLLATE "C" NOT NULL,         -- Alipay's app_id; empty where notices name none
    manual_capture  BIGINT NOT NULL,      -- Adyen: 1 where an authorised payment is not yet taken in
    created_at_ms   BIGINT NOT NULL,
    disabled_at_ms  BIGINT,
    last_event_ms   BIGINT                -- to the minute
);
create index webhook_endpoint_store on webhook_endpoint (store_id);

-- Several live at once, so that a secret can be changed without a gap.
create table webhook_secret (
    id           TEXT COLLATE "C" PRIMARY KEY,
    endpoint_id  TEXT COLLATE "C" NOT NULL REFERENCES webhook_endpoint (id),
    kind         TEXT COLLATE "C" NOT NULL,            -- what it opens or proves
    key_name     TEXT COLLATE "C" NOT NULL,            -- serial of a certificate, id of a public key; empty where there is none
    sealed       BYTEA NOT NULL,            -- store::Seal; bound to this row
    fingerprint  TEXT COLLATE "C" NOT NULL,
    added_at_ms  BIGINT NOT NULL,
    last_used_ms BIGINT,                  -- to the minute
    until_ms     BIGINT                   -- not used from then on
);
create index webhook_secret_endpoint on webhook_secret (endpoint_id);

-- What could not be proved or was not meant for us, counted and never kept.
create table webhook_refusal (
    endpoint_id TEXT COLLATE "C" NOT NULL REFERENCES webhook_endpoint (id),
    hour_ms     BIGINT NOT NULL,
    reason      TEXT COLLATE "C" NOT NULL,
    refusals    BIGINT NOT NULL,
    primary key (endpoint_id, hour_ms, reason)
);

-- Notices that are proved and could not be read: sealed, for a short while, for somebody to look at.
create table webhook_rejected (
    id             TEXT COLLATE "C" PRIMARY KEY,
    endpoint_id    TEXT COLLATE "C" NOT NULL REFERENCES webhook_endpoint (id),
    received_at_ms BIGINT NOT NULL,
    event          TEXT COLLATE "C" NOT NULL,
    field          TEXT COLLATE "C" NOT NULL,
    code           TEXT COLLATE "C" NOT NULL,
    sealed         BYTEA NOT NULL           -- empty where a card number was suspected
);
create index webhook_rejected_endpoint on webhook_rejected (endpoint_id, received_at_ms);

-- What notices said about one payment, refund or dispute where no single one says all of it. The row in the lake is
-- made from all of them together, so the order in which they came does not matter.
create table webhook_fact (
    store_id       BIGINT NOT NULL REFERENCES store (id),
    provider       TEXT COLLATE "C" NOT NULL,
    account        TEXT COLLATE "C" NOT NULL,
    test           BIGINT NOT NULL,
    subject        TEXT COLLATE "C" NOT NULL,
    fact_key       TEXT COLLATE "C" NOT NULL,
    fact           TEXT COLLATE "C" NOT NULL,          -- JSON, without what points to a shopper
    customer       TEXT COLLATE "C",                   -- pseudonym
    received_at_ms BIGINT NOT NULL,
    primary key (store_id, provider, account, test, subject, fact_key)
);
create index webhook_fact_received on webhook_fact (received_at_ms);
create index webhook_fact_customer on webhook_fact (customer);
