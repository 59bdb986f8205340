-- The interface tables, first version: what every record's fate is, and how far every sync has come.
-- Released versions of this file never change; a later schema is a later file.

CREATE SCHEMA IF NOT EXISTS sync;

-- One record in one sync. The newest state of the source wins; history is in interface_attempt.
CREATE TABLE sync.interface_row (
    sync              text        NOT NULL,
    source_system     text        NOT NULL,  -- who sent it: a connection, or a sender at the intake
    record_key        text        NOT NULL,  -- the source's own immutable key
    entity            text        NOT NULL,  -- evidence, type, model: what kind of record
    operation         text        NOT NULL CHECK (operation IN ('create', 'update', 'delete')),
    position          bigint      NOT NULL,  -- the source's ordering value of the newest change
    partition_key     text        NOT NULL,  -- the window that holds the position
    payload           jsonb,                 -- as received, less sensitive fields; NULL for a delete
    payload_hash      text,
    external_ids      jsonb       NOT NULL DEFAULT '[]',
    received_at       timestamptz NOT NULL DEFAULT now(),
    status            text        NOT NULL CHECK (status IN ('pending', 'processing', 'processed', 'failed', 'skipped')),
    error_code        text,
    error_field       text,
    error_message     text,
    attempts          integer     NOT NULL DEFAULT 0,
    first_failed_at   timestamptz,
    last_attempt_at   timestamptz,
    next_attempt_at   timestamptz,           -- set: tried again by itself; NULL on a failed row: waits for a person
    processed_at      timestamptz,
    target_system     text,
    target_id         text,
    delete_confirmed  boolean     NOT NULL DEFAULT false,
    claimed_by        integer,               -- the worker that writes it now; its session holds an advisory lock
    claimed_position  bigint,
    settled_version   bigint,                -- grows with every settling; what reads this table reads on from it
    run_id            text,                  -- the Dagster run that touched it last
    PRIMARY KEY (sync, source_system, record_key),
    CHECK ((status = 'processing') = (claimed_by IS NOT NULL)),
    CHECK (operation = 'delete' OR payload IS NOT NULL)
);
CREATE INDEX interface_row_due ON sync.interface_row (sync, partition_key, position)
    WHERE status IN ('pending', 'processing');
CREATE INDEX interface_row_failed ON sync.interface_row (sync, next_attempt_at) WHERE status = 'failed';
CREATE INDEX interface_row_window ON sync.interface_row (sync, partition_key);
CREATE UNIQUE INDEX interface_row_settled ON sync.interface_row (sync, settled_version);
CREATE INDEX interface_row_target ON sync.interface_row (sync, target_id) WHERE target_id IS NOT NULL;

-- One try at one row; append-only, kept for the retention time.
CREATE TABLE sync.interface_attempt (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sync           text        NOT NULL,
    source_system  text        NOT NULL,
    record_key     text        NOT NULL,
    model          text        NOT NULL,   -- what was written to: res.partner, a REST path
    operation      text        NOT NULL,
    run_id         text,
    started_at     timestamptz NOT NULL,
    duration_ms    integer     NOT NULL,   -- of the request that carried the record, shared by its batch
    status         text        NOT NULL CHECK (status IN ('success', 'error', 'skipped')),
    response_code  integer,
    error          text
);
CREATE INDEX interface_attempt_record ON sync.interface_attempt (sync, record_key, id);
CREATE INDEX interface_attempt_age ON sync.interface_attempt (started_at);

-- How far a sync has come. The cursor moves in the transaction that lands the rows.
CREATE TABLE sync.sync_state (
    sync             text        PRIMARY KEY,
    last_position    bigint,                 -- the cursor: everything below is durably landed; NULL: no baseline yet
    count_processed  bigint      NOT NULL DEFAULT 0,
    status           text        NOT NULL DEFAULT 'TRIGGER_WAITING'
                     CHECK (status IN ('TRIGGER_WAITING', 'IN_PROGRESS', 'RETRY_WAITING', 'ERROR')),
    try_count        integer     NOT NULL DEFAULT 0,
    next_try         timestamptz,
    error            text,
    config_hash      text,
    fingerprint      text,                   -- which source history the cursor belongs to
    baseline_from    bigint,                 -- an unfinished full read: the position it began at …
    baseline_after   text,                   -- … and the last key it has landed
    baseline_seen    timestamptz,            -- … and when it began: older rows were not seen by it
    first_window     text,                   -- no window lies before it
    recent_positions bigint[]    NOT NULL DEFAULT '{}',  -- landed positions within the overlap behind the cursor
    pass_end         bigint,                 -- a sweep under way: the source's newest position when it began
    processed_position bigint,               -- a sweep: the newest position settled in this pass
    updated_at       timestamptz NOT NULL DEFAULT now()
);

-- What a looked-up system answered, so that nothing is paid for twice. No bodies: it knows nothing.
CREATE TABLE sync.lookup_answer (
    lookup    text        NOT NULL,
    number    text        NOT NULL,
    bodies    jsonb       NOT NULL,
    asked_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lookup, number)
);

-- Numbers the settlings of rows.
CREATE SEQUENCE sync.settling AS bigint;

-- Numbers workers; a worker holds the advisory lock of its number for as long as its session lives.
CREATE SEQUENCE sync.worker_number AS integer MAXVALUE 2147483647 CYCLE;
