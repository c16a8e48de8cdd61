-- Answers given under an Idempotency-Key, so that a retry gets the same one: kept in the transaction of the rows they
-- speak of, for a day.
create table idempotent_answer (
    key_hash      BLOB PRIMARY KEY CHECK (length(key_hash) = 32),  -- of API key, path and Idempotency-Key
    body_hash     BLOB NOT NULL CHECK (length(body_hash) = 32),
    answer        BLOB NOT NULL,
    created_at_ms INTEGER NOT NULL
) strict, without rowid;
create index idempotent_answer_created on idempotent_answer (created_at_ms);
