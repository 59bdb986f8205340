-- Third version: what other systems push, and what wakes a sync before its time.
-- Released versions of this file never change; a later schema is a later file.

-- The sender's own number of a pushed record; only between two of them does it decide which is newer. `position` is
-- then the second of arrival, or one more than the row's last where that is not more, so it grows with every change.
ALTER TABLE sync.interface_row ADD COLUMN version bigint;

-- Hints from outside that something changed. They may be double, late or wrong: whoever takes one looks for itself.
CREATE TABLE sync.wake (
    kind         text        NOT NULL,   -- where the hint came from: a kind of hook
    name         text        NOT NULL,   -- whom it wakes: a connection or a sync
    record_key   text        NOT NULL DEFAULT '',  -- the record to look at; empty: whatever there is
    number       bigint      NOT NULL,   -- of the newest hint; who takes hints takes none that came after its look
    received_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name, record_key)
);
CREATE SEQUENCE sync.wake_number AS bigint;
