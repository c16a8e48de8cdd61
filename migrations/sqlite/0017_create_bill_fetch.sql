-- Merchant accounts whose bills are fetched, and what became of each day's bill.

create table bill_source (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    store_id           INTEGER NOT NULL REFERENCES store (id),
    provider           TEXT NOT NULL CHECK (provider IN ('wechat_pay', 'alipay')),
    account            TEXT NOT NULL,     -- WeChat Pay: merchant id; Alipay: app id
    kinds              TEXT NOT NULL,     -- words with a space between
    is_on              INTEGER NOT NULL,
    first_day          TEXT NOT NULL,     -- the provider's own days, from this one on
    certificate_serial TEXT NOT NULL,     -- WeChat Pay: that of the merchant's certificate
    platform_id        TEXT NOT NULL,     -- WeChat Pay: id of the provider's public key
    platform_keys      TEXT NOT NULL,     -- the provider's public keys or certificates: no secret
    sealed_key         BLOB NOT NULL,     -- the merchant's private key; empty: deleted
    fingerprint        TEXT NOT NULL,
    changed_at_ms      INTEGER NOT NULL,
    UNIQUE (store_id, provider, account)
) strict;

create table bill_fetch (
    source_id      INTEGER NOT NULL REFERENCES bill_source (id) ON DELETE CASCADE,
    kind           TEXT NOT NULL,
    day            TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('waiting', 'fetched', 'no_activity', 'no_bill', 'failed')),
    tries          INTEGER NOT NULL,
    next_try_ms    INTEGER NOT NULL,      -- while waiting; moved forward by whoever takes it
    last_try_ms    INTEGER,
    code           TEXT NOT NULL,         -- why it did not come the last time
    sentence_en    TEXT NOT NULL,
    sentence_zh    TEXT NOT NULL,
    import_id      INTEGER REFERENCES import (id),
    payments_known INTEGER,               -- payments of a day without a bill that we know of
    PRIMARY KEY (source_id, kind, day)
) strict, without rowid;
create index bill_fetch_due on bill_fetch (next_try_ms) where state = 'waiting';
