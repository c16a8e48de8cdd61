-- Alert episodes and their steps, messages that wait to be sent, channels, and how each job last ended.

-- One episode of one instance (kind and scope), from the first suspicion until it is resolved.
create table alert_episode (
    id               INTEGER PRIMARY KEY,
    kind             TEXT NOT NULL,
    store_id         INTEGER NOT NULL,  -- 0: the installation itself (jobs, intake)
    provider         TEXT NOT NULL,     -- empty: not about one provider
    subject          TEXT NOT NULL,     -- account, task …; empty where the kind needs none
    state            TEXT NOT NULL CHECK (state IN ('pending', 'firing', 'resolved')),
    severity         TEXT NOT NULL CHECK (severity IN ('warning', 'critical')),
    onset_at_ms      INTEGER NOT NULL,
    pending_at_ms    INTEGER NOT NULL,
    fired_at_ms      INTEGER,
    resolved_at_ms   INTEGER,
    evaluated_at_ms  INTEGER NOT NULL,
    rounds           INTEGER NOT NULL,  -- rounds in a row with the same verdict
    calm_since_ms    INTEGER,           -- since when the recovery test holds
    frozen           INTEGER NOT NULL,  -- 1 while there is no trustworthy data to judge by
    found_late       INTEGER NOT NULL,  -- 1 when found only in the past
    lost_minor       INTEGER,           -- estimate; null: unknown
    lost_currency    TEXT NOT NULL,
    evidence         TEXT NOT NULL,     -- what the test saw, JSON
    ack_by           TEXT NOT NULL,
    ack_reason       TEXT NOT NULL,
    ack_at_ms        INTEGER,
    ack_until_ms     INTEGER
) strict;
create unique index alert_episode_open on alert_episode (kind, store_id, provider, subject) where state <> 'resolved';
create index alert_episode_recent on alert_episode (store_id, resolved_at_ms);

create table alert_transition (
    id          INTEGER PRIMARY KEY,
    episode_id  INTEGER NOT NULL REFERENCES alert_episode (id) ON DELETE CASCADE,
    at_ms       INTEGER NOT NULL,
    step        TEXT NOT NULL,          -- pending, firing, resolved, acknowledged, worse, frozen, thawed
    actor       TEXT NOT NULL,          -- empty: the program
    note        TEXT NOT NULL
) strict;
create index alert_transition_episode on alert_transition (episode_id, at_ms);

-- A robot in a group chat. The address holds the key, so it is a secret: never shown, never logged.
create table alert_channel (
    id            INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('wecom')),
    store_id      INTEGER NOT NULL,     -- 0: every store
    url           TEXT NOT NULL,
    language      TEXT NOT NULL,
    daily_report  INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    UNIQUE (kind, store_id)
) strict;

-- Messages written in the transaction of the change they tell of; sent at least once.
create table notification_outbox (
    id            INTEGER PRIMARY KEY,
    channel_id    INTEGER NOT NULL REFERENCES alert_channel (id) ON DELETE CASCADE,
    once_key      TEXT NOT NULL UNIQUE, -- episode:step:seq, or the day of a report
    body          TEXT NOT NULL,
    state         TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts      INTEGER NOT NULL,
    due_at_ms     INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    sent_at_ms    INTEGER,
    last_error    TEXT NOT NULL
) strict;
create index notification_outbox_due on notification_outbox (due_at_ms) where state = 'waiting';

-- One row per job: how it last ended. Written when that changes, else at most once a minute.
create table task_run (
    task             TEXT PRIMARY KEY,
    interval_ms      INTEGER NOT NULL,
    last_started_ms  INTEGER NOT NULL,
    last_duration_ms INTEGER NOT NULL,
    last_success_ms  INTEGER,
    last_failure_ms  INTEGER,
    failures_in_row  INTEGER NOT NULL,
    last_error       TEXT NOT NULL,
    runs             INTEGER NOT NULL
) strict;
