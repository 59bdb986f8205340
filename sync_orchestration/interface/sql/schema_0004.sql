-- Fourth version: the fields of outside systems as they were seen last.
-- Released versions of this file never change; a later schema is a later file.

-- One field of a source or a target, so that one that vanishes or changes is noticed before records fail.
CREATE TABLE sync.field_seen (
    sync         text        NOT NULL,
    side         text        NOT NULL CHECK (side IN ('source', 'target')),
    field        text        NOT NULL,   -- its name, or a path into the record
    kind         text        NOT NULL,   -- its type in the words of its system; empty: no value was seen
    required     boolean     NOT NULL,
    readonly     boolean     NOT NULL,
    share        real,                   -- of landed records that had a value; NULL: the system describes itself
    records      integer     NOT NULL,   -- in how many landed records it was looked for
    config_hash  text        NOT NULL,   -- the configuration of the sync at that time
    seen_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sync, side, field)
);
