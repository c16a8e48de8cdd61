-- As in migrations/sqlite, but for the column types.
create table idempotent_answer (
    key_hash      BYTEA PRIMARY KEY CHECK (length(key_hash) = 32),  -- of API key, path and Idempotency-Key
    body_hash     BYTEA NOT NULL CHECK (length(body_hash) = 32),
    answer        BYTEA NOT NULL,
    created_at_ms BIGINT NOT NULL
);
create index idempotent_answer_created on idempotent_answer (created_at_ms);
