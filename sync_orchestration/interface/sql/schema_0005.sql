-- Fifth version: the record browser, where people look at any row and say what shall become of it.
-- Released versions of this file never change; a later schema is a later file.

-- The newest rows of each status of each sync: a page of any filter merges a few of these, and counts go up to a bound.
CREATE INDEX interface_row_newest ON sync.interface_row (sync, status, received_at, record_key);
CREATE INDEX interface_row_code ON sync.interface_row (sync, status, error_code, received_at, record_key)
    WHERE error_code IS NOT NULL;
CREATE INDEX interface_row_failed_first ON sync.interface_row (first_failed_at, sync, error_code)
    WHERE status = 'failed';
-- … and of all, for words that so many rows have that it is quicker to read the newest ones through.
CREATE INDEX interface_row_received ON sync.interface_row (received_at, record_key);

-- What a row can be found by. A text beyond a hundred thousand characters is found by its beginning only: PostgreSQL
-- refuses the words of a much longer one, and a row must never fail because it cannot be searched.
CREATE FUNCTION sync.words_of(record_key text, error_message text, payload jsonb) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT pg_catalog.to_tsvector('pg_catalog.simple'::regconfig, left(record_key, 1000))
        || pg_catalog.to_tsvector('pg_catalog.simple'::regconfig, left(coalesce(error_message, ''), 10000))
        || CASE WHEN payload IS NULL THEN ''::tsvector
                WHEN length(payload::text) <= 100000
                THEN pg_catalog.jsonb_to_tsvector('pg_catalog.simple'::regconfig, payload, '["string", "numeric"]')
                ELSE pg_catalog.to_tsvector('pg_catalog.simple'::regconfig, left(payload::text, 100000)) END
$$;
-- Rows that wait to be written are left out, so that landing and claiming them costs nothing here.
CREATE INDEX interface_row_words ON sync.interface_row USING gin (sync.words_of(record_key, error_message, payload))
    WHERE status IN ('processed', 'failed', 'skipped');

-- A person's word about a record stands among the tries: who asked for what, and when.
ALTER TABLE sync.interface_attempt DROP CONSTRAINT interface_attempt_status_check;
ALTER TABLE sync.interface_attempt ADD CONSTRAINT interface_attempt_status_check
    CHECK (status IN ('success', 'error', 'skipped', 'asked'));
