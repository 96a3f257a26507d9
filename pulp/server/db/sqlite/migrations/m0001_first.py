"""Schema 1. What is looked for has columns and indexes; the rest are JSON blobs that only their owner reads.

Indexes hold the row id behind their columns, and a task's row id is its seq: (consumer_id, state) is sorted by seq within.
A moving task touches few indexes: the partial ones only hold tasks that are in that very condition.
"""

SQL = """
CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    args BLOB NOT NULL,
    requested_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    accept_by INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    timeout INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    consumer_id TEXT,
    job_id TEXT,
    not_before INTEGER,
    "window" BLOB,
    plan INTEGER NOT NULL,
    deadline INTEGER,
    parked TEXT NOT NULL,
    parked_at INTEGER,
    call BLOB,
    sent_at INTEGER,
    accepted_at INTEGER,
    starts INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    progress BLOB,
    result BLOB,
    error BLOB,
    cancel_requested_at INTEGER,
    cancel_requested_by TEXT,
    cancel_refused INTEGER NOT NULL,
    retry_of TEXT
) STRICT;

CREATE INDEX task_claim ON task (seq) WHERE state = 'waiting' AND phase = 'queued' AND parked = '';
CREATE INDEX task_parked ON task (parked)
    WHERE state = 'waiting' AND phase = 'queued' AND parked <> '';
CREATE INDEX task_unsent ON task (consumer_id)
    WHERE state = 'waiting' AND phase = 'queued' AND parked <> 'unsupported-version';
CREATE INDEX task_unaccepted ON task (consumer_id) WHERE state = 'waiting' AND phase = 'sent';
CREATE INDEX task_due ON task (not_before) WHERE state = 'scheduled';
CREATE INDEX task_deadline ON task (deadline)
    WHERE (state = 'waiting' OR state = 'running' OR state = 'held' OR state = 'scheduled') AND deadline IS NOT NULL;
CREATE INDEX task_ended ON task (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX task_state ON task (state);
CREATE INDEX task_consumer ON task (consumer_id, state);
CREATE INDEX task_kind ON task (kind, state);
CREATE INDEX task_job ON task (job_id, state) WHERE job_id IS NOT NULL;

CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    consumer_id TEXT NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    originator TEXT NOT NULL,
    task_id TEXT,
    details BLOB NOT NULL
) STRICT;

CREATE UNIQUE INDEX history_task ON history (task_id, type) WHERE task_id IS NOT NULL;
CREATE INDEX history_at ON history (at);
CREATE INDEX history_consumer ON history (consumer_id, at, id, type);

CREATE TABLE consumer (
    id TEXT PRIMARY KEY NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    registered_at INTEGER NOT NULL,
    fingerprints BLOB NOT NULL,
    csr_fingerprint TEXT NOT NULL,
    display_name TEXT NOT NULL,
    notes TEXT NOT NULL,
    online INTEGER NOT NULL,
    last_seen INTEGER,
    clock_offset INTEGER,
    agent BLOB,
    flags BLOB NOT NULL,
    certificate TEXT NOT NULL,
    search TEXT NOT NULL
) STRICT;

CREATE INDEX consumer_online ON consumer (online, id);

CREATE TABLE profile (
    consumer_id TEXT PRIMARY KEY NOT NULL,
    hash TEXT NOT NULL,
    at INTEGER NOT NULL,
    packages BLOB NOT NULL
) STRICT;

CREATE TABLE user (
    login TEXT PRIMARY KEY NOT NULL,
    role INTEGER NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    digest TEXT PRIMARY KEY NOT NULL,
    login TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_login ON session (login);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE registration_token (
    id TEXT PRIMARY KEY NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    uses_left INTEGER,
    consumer_id TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX registration_token_age ON registration_token (created_at, id);

CREATE TABLE idempotency (
    login TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    resource TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (login, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE unreadable (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    consumer_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
"""
