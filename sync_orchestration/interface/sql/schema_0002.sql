-- Second version: targets that cannot be read in batches, pauses that servers asked for, incidents.
-- Released versions of this file never change; a later schema is a later file.

ALTER TABLE sync.interface_row
    -- What the target was last given and took, for one whose records cannot be read in batches.
    ADD COLUMN written  jsonb,
    -- A try may have reached the target without our hearing of it: look before creating anew.
    ADD COLUMN in_doubt boolean NOT NULL DEFAULT false,
    -- A failed row that names another record of its sync: the key of that record, which is not written yet.
    ADD COLUMN awaits   text;

-- A server asked all its clients for patience; no worker asks it again before then.
CREATE TABLE sync.connection_pause (
    server  text        PRIMARY KEY,  -- scheme, host and port
    until   timestamptz NOT NULL
);

-- A fault that people are told of: one message when it has begun, one when it is over.
CREATE TABLE sync.incident (
    id               bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject          text        NOT NULL,   -- the sync that is at fault, or the job
    kind             text        NOT NULL CHECK (kind IN ('run_failure', 'failed_rows', 'standstill')),
    opened_at        timestamptz NOT NULL,
    opened_title     text        NOT NULL,
    opened_message   text        NOT NULL,   -- what is told, secrets already masked
    opened_accepted  text[]      NOT NULL DEFAULT '{}',  -- marks of the addresses that took it; a mark tells no address
    notified_opened  boolean     NOT NULL DEFAULT false, -- all of them have
    closed_at        timestamptz,            -- NULL: it goes on
    closed_title     text,
    closed_message   text,
    closed_accepted  text[]      NOT NULL DEFAULT '{}',
    notified_closed  boolean     NOT NULL DEFAULT false,
    CHECK ((closed_at IS NULL) = (closed_title IS NULL) AND (closed_at IS NULL) = (closed_message IS NULL))
);
CREATE UNIQUE INDEX incident_open ON sync.incident (subject, kind) WHERE closed_at IS NULL;
CREATE INDEX incident_latest ON sync.incident (kind, subject, id);
CREATE INDEX incident_untold ON sync.incident (id)
    WHERE NOT notified_opened OR (closed_at IS NOT NULL AND NOT notified_closed);
