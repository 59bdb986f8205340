-- Every statement that reads or writes the interface tables, by name. Parameters are psycopg's %(name)s.

-- name: create_staging
CREATE TEMPORARY TABLE staging (
    record_key text, entity text, operation text, position bigint, partition_key text,
    payload jsonb, payload_hash text, external_ids jsonb
) ON COMMIT DROP

-- name: copy_staging
COPY staging (record_key, entity, operation, position, partition_key, payload, payload_hash, external_ids) FROM STDIN

-- A newer position wins; an older one is history. At an equal position only a different payload counts, unless the
-- write is to be repeated (force). A record whose payload is what was already written only moves on, and so does one
-- that a person has skipped as it is. A row that is being written keeps its worker but not the claimed position: so the
-- writer sees at settling that there is news, and hands the row back. A delete of a record that never arrived is no
-- news; one that was done before is no new flood.
-- name: land_staging
INSERT INTO sync.interface_row AS r (
    sync, source_system, record_key, entity, operation, position, partition_key,
    payload, payload_hash, external_ids, status, run_id)
SELECT %(sync)s, %(source_system)s, s.record_key, s.entity, s.operation, s.position, s.partition_key,
       s.payload, s.payload_hash, s.external_ids, 'pending', %(run_id)s
FROM staging s
WHERE s.operation <> 'delete' OR EXISTS (
    SELECT 1 FROM sync.interface_row k
    WHERE k.sync = %(sync)s AND k.source_system = %(source_system)s AND k.record_key = s.record_key)
ON CONFLICT (sync, source_system, record_key) DO UPDATE SET
    entity = excluded.entity,
    operation = CASE WHEN excluded.operation <> 'create' THEN excluded.operation
                     WHEN r.target_id IS NULL THEN 'create' ELSE 'update' END,
    position = excluded.position,
    partition_key = excluded.partition_key,
    payload = excluded.payload,
    payload_hash = excluded.payload_hash,
    external_ids = excluded.external_ids,
    received_at = now(),
    run_id = excluded.run_id,
    attempts = CASE WHEN r.status = 'failed' THEN r.attempts ELSE 0 END,
    next_attempt_at = CASE WHEN r.status = 'processed' AND r.operation <> 'delete' AND NOT %(force)s
                                AND r.payload_hash = excluded.payload_hash THEN r.next_attempt_at END,
    claimed_position = NULL,
    delete_confirmed = r.operation = 'delete' AND excluded.operation = 'delete'
                       AND (r.delete_confirmed OR r.status = 'processed'),
    status = CASE WHEN r.status = 'processing' THEN 'processing'
                  WHEN r.status = 'processed' AND r.operation <> 'delete' AND NOT %(force)s
                       AND r.payload_hash = excluded.payload_hash THEN 'processed'
                  WHEN r.status = 'skipped' AND r.error_code = 'skipped_by_person'
                       AND r.payload_hash = excluded.payload_hash THEN 'skipped'
                  ELSE 'pending' END
WHERE excluded.position > r.position
   OR (excluded.position = r.position
       AND (%(force)s OR excluded.payload_hash IS DISTINCT FROM r.payload_hash
            OR (excluded.operation = 'delete') <> (r.operation = 'delete')))

-- name: land_missing_as_deleted
INSERT INTO staging (record_key, entity, operation, position, partition_key, external_ids)
SELECT r.record_key, r.entity, 'delete', %(position)s, %(partition_key)s, r.external_ids
FROM sync.interface_row r
WHERE r.sync = %(sync)s AND r.source_system = %(source_system)s AND r.operation <> 'delete'
  AND r.received_at < %(not_seen_since)s AND r.position <= %(position)s

-- name: keys_not_seen
SELECT record_key FROM sync.interface_row
WHERE sync = %(sync)s AND operation <> 'delete' AND received_at < %(since)s ORDER BY record_key

-- A restored source counts from an earlier position again; rows must not outrank what will be read now.
-- name: rebase_positions
UPDATE sync.interface_row SET position = %(position)s WHERE sync = %(sync)s AND position > %(position)s

-- name: only_other_source
SELECT source_system FROM sync.interface_row
WHERE sync = %(sync)s AND NOT EXISTS (
    SELECT 1 FROM sync.interface_row r WHERE r.sync = %(sync)s AND r.source_system = %(source_system)s)
LIMIT 1

-- name: keys_of_window
SELECT record_key FROM sync.interface_row
WHERE sync = %(sync)s AND partition_key = %(partition_key)s ORDER BY record_key

-- name: keys_with_positions
SELECT record_key, position, partition_key FROM sync.interface_row
WHERE sync = %(sync)s AND record_key = ANY(%(keys)s)

-- name: keys_containing
SELECT record_key FROM sync.interface_row
WHERE sync = %(sync)s AND operation <> 'delete' AND payload @> %(part)s::jsonb

-- name: take_worker_number
SELECT nextval('sync.worker_number')::integer AS number

-- name: announce_worker
SELECT pg_advisory_lock(%(lock_class)s, %(number)s)

-- name: release_dead_claims
UPDATE sync.interface_row r SET status = 'pending', claimed_by = NULL, claimed_position = NULL
WHERE r.sync = %(sync)s AND r.status = 'processing' AND NOT EXISTS (
    SELECT 1 FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = %(lock_class)s::oid
      AND l.objid = r.claimed_by::oid
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))

-- part: about
concat(coalesce(r.payload_hash, '-'), ' ', %(manner)s::text)

-- A claim puts the row in doubt until it is settled: whoever claims it after a worker's death knows that it may have
-- been written already. Where the same is still to be written in the same manner, it also knows since when.
-- name: claim
WITH due AS (
    SELECT sync, source_system, record_key, in_doubt FROM sync.interface_row
    WHERE sync = %(sync)s AND status = 'pending'
      AND (%(partition_keys)s::text[] IS NULL OR partition_key = ANY(%(partition_keys)s::text[]))
      AND (%(keys)s::text[] IS NULL OR record_key = ANY(%(keys)s::text[]))
      AND (next_attempt_at IS NULL OR next_attempt_at <= now())
    ORDER BY position, record_key LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE sync.interface_row r
SET status = 'processing', claimed_by = %(worker)s, claimed_position = r.position, run_id = %(run_id)s,
    in_doubt = true,
    doubt_since = CASE WHEN due.in_doubt THEN r.doubt_since ELSE now() END,
    doubt_about = CASE WHEN due.in_doubt THEN r.doubt_about
                       ELSE {about} END
FROM due
WHERE r.sync = due.sync AND r.source_system = due.source_system AND r.record_key = due.record_key
RETURNING r.sync, r.source_system, r.record_key, r.entity, r.operation, r.position, r.payload, r.external_ids,
          r.attempts, r.target_id, r.delete_confirmed, r.written, due.in_doubt,
          CASE WHEN r.doubt_about = {about}
               THEN r.doubt_since END AS first_tried_at

-- name: create_settling
CREATE TEMPORARY TABLE settling (
    source_system text, record_key text, status text, error_code text, error_field text, error_message text,
    next_attempt_at timestamptz, target_id text, counts boolean, written jsonb, in_doubt boolean, awaits text
) ON COMMIT DROP

-- name: copy_settling
COPY settling FROM STDIN

-- name: settle
UPDATE sync.interface_row r SET
    status = CASE WHEN r.claimed_position IS NULL THEN 'pending' ELSE s.status END,
    claimed_by = NULL,
    claimed_position = NULL,
    error_code = s.error_code,
    error_field = s.error_field,
    error_message = s.error_message,
    attempts = r.attempts + CASE WHEN s.counts THEN 1 ELSE 0 END,
    first_failed_at = CASE WHEN s.status <> 'failed' THEN NULL ELSE coalesce(r.first_failed_at, now()) END,
    last_attempt_at = CASE WHEN s.counts THEN now() ELSE r.last_attempt_at END,
    next_attempt_at = CASE WHEN r.claimed_position IS NULL THEN NULL ELSE s.next_attempt_at END,
    processed_at = CASE WHEN s.status = 'processed' THEN now() ELSE r.processed_at END,
    target_system = %(target_system)s,
    target_id = s.target_id,
    written = CASE WHEN s.status = 'processed' AND (r.operation = 'delete' OR s.target_id IS NULL) THEN NULL
                   ELSE coalesce(s.written, r.written) END,
    in_doubt = s.in_doubt,
    awaits = s.awaits,
    settled_version = nextval('sync.settling')
FROM settling s
WHERE r.sync = %(sync)s AND r.source_system = s.source_system AND r.record_key = s.record_key
  AND r.claimed_by = %(worker)s

-- What was certainly not sent (sure) is no more in doubt than it was before the claim.
-- name: unclaim
UPDATE sync.interface_row
SET status = 'pending', claimed_by = NULL, claimed_position = NULL, in_doubt = in_doubt AND record_key <> ALL(%(sure)s)
WHERE sync = %(sync)s AND claimed_by = %(worker)s

-- name: requeue_due
UPDATE sync.interface_row SET status = 'pending'
WHERE sync = %(sync)s AND status = 'failed' AND next_attempt_at <= now()

-- A row waits for another one until that has an id in the target; one that was refused for it, until that is written
-- again (in the same settling, too).
-- name: requeue_waiting
UPDATE sync.interface_row r SET status = 'pending', next_attempt_at = NULL
WHERE r.sync = %(sync)s AND r.status = 'failed' AND r.awaits IS NOT NULL AND EXISTS (
    SELECT 1 FROM sync.interface_row a
    WHERE a.sync = r.sync AND a.source_system = r.source_system AND a.record_key = r.awaits
      AND a.target_id IS NOT NULL AND a.operation <> 'delete'
      AND (r.error_code = 'waits_for_record' OR a.processed_at >= r.last_attempt_at))

-- name: relatives
SELECT record_key, status, operation, target_id FROM sync.interface_row
WHERE sync = %(sync)s AND source_system = %(source_system)s AND record_key = ANY(%(keys)s)

-- A delete that was done has nothing left to do; what a person has skipped is taken up only by name.
-- name: requeue_rows
UPDATE sync.interface_row SET status = 'pending', next_attempt_at = NULL
WHERE sync = %(sync)s AND status IN ('processed', 'failed', 'skipped')
  AND NOT (operation = 'delete' AND status = 'processed')
  AND error_code IS DISTINCT FROM 'delete_held'
  AND (%(keys)s::text[] IS NOT NULL OR status <> 'skipped' OR error_code IS DISTINCT FROM 'skipped_by_person')
  AND (%(keys)s::text[] IS NULL OR record_key = ANY(%(keys)s::text[]))
  AND (%(partition_keys)s::text[] IS NULL OR partition_key = ANY(%(partition_keys)s::text[]))

-- A person's word also ends the doubt about a record that nobody can look up.
-- name: requeue_failed
UPDATE sync.interface_row
SET status = 'pending', next_attempt_at = NULL, in_doubt = in_doubt AND error_code IS DISTINCT FROM 'in_doubt',
    delete_confirmed = delete_confirmed OR (error_code = 'delete_held' AND %(confirm_deletes)s)
WHERE sync = %(sync)s AND (status = 'failed' OR (status = 'pending' AND error_code = 'in_doubt'))
  AND (%(keys)s::text[] IS NULL OR record_key = ANY(%(keys)s::text[]))
  AND (error_code IS DISTINCT FROM 'delete_held' OR %(confirm_deletes)s)
RETURNING record_key, operation

-- name: end_skips
UPDATE sync.interface_row SET error_code = NULL
WHERE sync = %(sync)s AND status = 'skipped' AND error_code = 'skipped_by_person'
  AND record_key = ANY(%(keys)s::text[])

-- name: pending_windows
SELECT DISTINCT partition_key FROM sync.interface_row
WHERE sync = %(sync)s AND (
    (status = 'pending' AND (next_attempt_at IS NULL OR next_attempt_at <= now()))
    OR (status = 'failed' AND next_attempt_at <= now())
    OR (status = 'processing' AND NOT EXISTS (
        SELECT 1 FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = %(lock_class)s::oid
          AND l.objid = claimed_by::oid
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))))
ORDER BY partition_key

-- The server's side of a session; by default it looks after two hours only. (Without effect on a Unix socket.)
-- name: notice_a_lost_machine
SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
       set_config('tcp_keepalives_count', '3', false)

-- Nobody takes a turn past those who wait for one: they hold the queue's lock, shared. Of a lock's number the last six
-- bits are the turn's, the others the server's.
-- name: take_turn
SELECT CASE WHEN pg_try_advisory_xact_lock(%(queue)s, hashtext(%(server)s)) THEN (
    SELECT number FROM unnest(%(free)s::integer[]) AS number
    WHERE pg_try_advisory_lock(%(turns)s, (hashtext(%(server)s) & -64) | number) LIMIT 1) END AS number

-- name: take_turn_in_queue
SELECT number FROM unnest(%(free)s::integer[]) AS number
WHERE pg_try_advisory_lock(%(turns)s, (hashtext(%(server)s) & -64) | number) LIMIT 1

-- name: give_turn_back
SELECT pg_advisory_unlock(%(turns)s, (hashtext(%(server)s) & -64) | %(number)s)

-- name: enter_queue
SELECT pg_advisory_lock_shared(%(queue)s, hashtext(%(server)s))

-- name: leave_queue
SELECT pg_advisory_unlock_shared(%(queue)s, hashtext(%(server)s))

-- name: existing_targets
SELECT target_id FROM sync.interface_row WHERE sync = %(sync)s AND target_id = ANY(%(target_ids)s)

-- name: holders
SELECT target_id, source_system, record_key, operation, status FROM sync.interface_row
WHERE sync = %(sync)s AND target_id = ANY(%(target_ids)s)
ORDER BY source_system, record_key

-- name: lock_adoption
SELECT pg_advisory_lock(%(lock_class)s, hashtext(%(place)s))

-- name: unlock_adoption
SELECT pg_advisory_unlock(%(lock_class)s, hashtext(%(place)s))

-- name: count_known
SELECT count(*) FILTER (WHERE target_id IS NOT NULL) AS known,
       count(*) FILTER (WHERE operation = 'delete' AND status IN ('pending', 'processing')
                        AND target_id IS NOT NULL AND NOT delete_confirmed) AS deletes
FROM sync.interface_row WHERE sync = %(sync)s

-- name: counts_by_status
SELECT sync, status, count(*) AS rows FROM sync.interface_row
WHERE %(sync)s::text IS NULL OR sync = %(sync)s GROUP BY sync, status

-- name: failing_rows
SELECT source_system, record_key, operation, status, error_code, error_field, error_message, attempts,
       first_failed_at, last_attempt_at, next_attempt_at, partition_key
FROM sync.interface_row
WHERE sync = %(sync)s AND status = 'failed'
  AND (%(partition_keys)s::text[] IS NULL OR partition_key = ANY(%(partition_keys)s::text[]))
ORDER BY first_failed_at, record_key LIMIT %(limit)s

-- name: count_failing
SELECT count(*) AS rows FROM sync.interface_row
WHERE sync = %(sync)s AND status = 'failed'
  AND (%(partition_keys)s::text[] IS NULL OR partition_key = ANY(%(partition_keys)s::text[]))

-- name: linked_rows
SELECT record_key, target_id, written FROM sync.interface_row
WHERE sync = %(sync)s AND target_id IS NOT NULL AND operation <> 'delete'

-- name: failing_keys
SELECT record_key FROM sync.interface_row WHERE sync = %(sync)s AND status = 'failed' ORDER BY record_key

-- name: insert_attempts
COPY sync.interface_attempt (sync, source_system, record_key, model, operation, run_id, started_at, duration_ms,
                             status, response_code, error) FROM STDIN

-- name: attempts
SELECT record_key, model, operation, status, response_code, duration_ms, started_at, error, run_id
FROM sync.interface_attempt
WHERE sync = %(sync)s AND (%(key)s::text IS NULL OR record_key = %(key)s) ORDER BY id DESC LIMIT %(limit)s

-- name: limit_lock_wait
SELECT set_config('lock_timeout', %(lock_ms)s::text, true)

-- name: purge_attempts
DELETE FROM sync.interface_attempt WHERE id IN (
    SELECT id FROM sync.interface_attempt WHERE started_at < %(before)s ORDER BY started_at LIMIT %(limit)s)

-- A deleted record may just come back: rows are locked before they are looked at, and those in use are passed over.
-- What another sync has still to read stays (still_read: by sync, the settled version from which on).
-- name: purge_deleted_rows
DELETE FROM sync.interface_row r USING (
    SELECT sync, source_system, record_key FROM sync.interface_row
    WHERE operation = 'delete' AND status = 'processed' AND processed_at < %(before)s
      AND coalesce(settled_version < (%(still_read)s::jsonb ->> sync)::bigint, true)
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS old
WHERE r.sync = old.sync AND r.source_system = old.source_system AND r.record_key = old.record_key

-- name: purge_fields
DELETE FROM sync.field_seen WHERE (sync, side, field) IN (
    SELECT sync, side, field FROM sync.field_seen WHERE seen_at < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED)

-- name: purge_wakes
DELETE FROM sync.wake w USING (
    SELECT kind, name, record_key FROM sync.wake WHERE received_at < %(before)s
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS old
WHERE w.kind = old.kind AND w.name = old.name AND w.record_key = old.record_key

-- name: purge_pauses
DELETE FROM sync.connection_pause WHERE server IN (
    SELECT server FROM sync.connection_pause WHERE until < %(before)s LIMIT %(limit)s FOR UPDATE SKIP LOCKED)

-- name: purge_answers
DELETE FROM sync.lookup_answer a USING (
    SELECT lookup, number FROM sync.lookup_answer WHERE asked_at < %(before)s
    LIMIT %(limit)s FOR UPDATE SKIP LOCKED) AS old
WHERE a.lookup = old.lookup AND a.number = old.number

-- name: ensure_state
INSERT INTO sync.sync_state (sync) VALUES (%(sync)s) ON CONFLICT DO NOTHING

-- name: read_state
SELECT * FROM sync.sync_state WHERE sync = %(sync)s

-- name: lock_state
SELECT * FROM sync.sync_state WHERE sync = %(sync)s FOR UPDATE

-- name: all_states
SELECT * FROM sync.sync_state ORDER BY sync

-- name: write_state
UPDATE sync.sync_state SET
    last_position = %(last_position)s, count_processed = %(count_processed)s, status = %(status)s,
    try_count = %(try_count)s, next_try = %(next_try)s, error = %(error)s, config_hash = %(config_hash)s,
    fingerprint = %(fingerprint)s, baseline_from = %(baseline_from)s, baseline_after = %(baseline_after)s,
    baseline_seen = %(baseline_seen)s, first_window = %(first_window)s,
    recent_positions = %(recent_positions)s, pass_end = %(pass_end)s,
    processed_position = %(processed_position)s, updated_at = now()
WHERE sync = %(sync)s

-- name: fresh_answers
SELECT number, bodies FROM sync.lookup_answer
WHERE lookup = %(lookup)s AND number = ANY(%(numbers)s) AND asked_at > now() - %(max_age)s::interval

-- name: store_answer
INSERT INTO sync.lookup_answer (lookup, number, bodies) VALUES (%(lookup)s, %(number)s, %(bodies)s::jsonb)
ON CONFLICT (lookup, number) DO UPDATE SET bodies = excluded.bodies, asked_at = now()

-- name: answers_summary
SELECT count(*), count(*) FILTER (WHERE bodies <> '[]'), max(asked_at) FROM sync.lookup_answer WHERE lookup = %(lookup)s

-- name: payloads_of_windows
SELECT record_key, payload FROM sync.interface_row
WHERE sync = %(sync)s AND partition_key = ANY(%(partition_keys)s) AND status = 'pending'
  AND operation <> 'delete'
ORDER BY position, record_key

-- A row that is to be written again counts as it was settled last: its code is that of the last settling. A sweep makes
-- every row pending, and nobody who reads at that moment may take them for gone.
-- name: settled_rows
SELECT record_key, operation, settled_version, payload,
       CASE WHEN status IN ('pending', 'processing') AND processed_at IS NOT NULL AND error_code IS NULL
            THEN 'processed' ELSE status END AS status
FROM sync.interface_row
WHERE sync = %(sync)s AND settled_version >= %(start)s ORDER BY settled_version LIMIT %(limit)s

-- name: rows_by_key
SELECT record_key, operation, settled_version, payload,
       CASE WHEN status IN ('pending', 'processing') AND processed_at IS NOT NULL AND error_code IS NULL
            THEN 'processed' ELSE status END AS status
FROM sync.interface_row
WHERE sync = %(sync)s AND record_key = ANY(%(keys)s)

-- name: rows_after_key
SELECT record_key, operation, settled_version, payload,
       CASE WHEN status IN ('pending', 'processing') AND processed_at IS NOT NULL AND error_code IS NULL
            THEN 'processed' ELSE status END AS status
FROM sync.interface_row
WHERE sync = %(sync)s AND (%(after)s::text IS NULL OR record_key > %(after)s) ORDER BY record_key LIMIT %(limit)s

-- name: newest_settling
SELECT coalesce(max(settled_version), 0) FROM sync.interface_row WHERE sync = %(sync)s

-- name: database_time
SELECT clock_timestamp() AS now

-- name: create_inventory
CREATE TEMPORARY TABLE inventory (record_key text)

-- name: copy_inventory
COPY inventory FROM STDIN

-- name: analyze_inventory
ANALYZE inventory

-- name: drop_inventory
DROP TABLE inventory

-- name: unseen_keys
SELECT r.record_key FROM sync.interface_row r
WHERE r.sync = %(sync)s AND r.operation <> 'delete' AND r.received_at < %(before)s
  AND NOT EXISTS (SELECT 1 FROM inventory i WHERE i.record_key = r.record_key)
ORDER BY r.record_key

-- Since when a row is in doubt about what is to be written now, as far as the payload tells.
-- part: first_tried
CASE WHEN in_doubt AND split_part(doubt_about, ' ', 1) = payload_hash THEN doubt_since END AS first_tried_at

-- What a run would write: what is due, of some keys or all; `again` as if those were requeued first (requeue_rows).
-- name: due_rows
SELECT sync, source_system, record_key, entity, operation, position, payload, external_ids, attempts, target_id,
       delete_confirmed, written, in_doubt,
       {first_tried}
FROM sync.interface_row
WHERE sync = %(sync)s AND (%(keys)s::text[] IS NULL OR record_key = ANY(%(keys)s::text[]))
  AND (status = 'pending' OR (status = 'failed' AND next_attempt_at <= now())
       OR (%(again)s AND status IN ('processed', 'failed', 'skipped')
           AND NOT (operation = 'delete' AND status = 'processed') AND error_code IS DISTINCT FROM 'delete_held'))
ORDER BY position, record_key

-- Those of some keys, or all that are not deleted but those of some other keys.
-- name: known_rows
SELECT record_key, operation, status, payload_hash, target_id, written FROM sync.interface_row
WHERE sync = %(sync)s
  AND CASE WHEN %(keys)s::text[] IS NULL THEN operation <> 'delete' AND record_key <> ALL(%(but)s)
           ELSE record_key = ANY(%(keys)s) END
ORDER BY record_key

-- Everything that is known of one record; two senders may have the same key.
-- name: whole_rows
SELECT sync, source_system, record_key, entity, operation, position, partition_key, payload, external_ids, received_at,
       status, error_code, error_field, error_message, attempts, first_failed_at, last_attempt_at, next_attempt_at,
       processed_at, target_system, target_id, delete_confirmed, written, in_doubt, awaits, version, run_id,
       {first_tried}
FROM sync.interface_row
WHERE sync = %(sync)s AND record_key = %(key)s
  AND (%(source_system)s::text IS NULL OR source_system = %(source_system)s)
ORDER BY source_system

-- name: attempts_of_row
SELECT started_at, model, operation, status, response_code, duration_ms, error, run_id
FROM (SELECT * FROM sync.interface_attempt
      WHERE sync = %(sync)s AND source_system = %(source_system)s AND record_key = %(key)s
      ORDER BY id DESC LIMIT %(limit)s) AS newest
ORDER BY id

-- Keys that a person may have meant: the target's id, a part of the key, the keys next to it.
-- name: near_keys
(SELECT record_key FROM sync.interface_row WHERE sync = %(sync)s AND target_id = %(key)s LIMIT %(limit)s)
UNION
(SELECT record_key FROM sync.interface_row
 WHERE sync = %(sync)s AND (strpos(lower(record_key), lower(%(key)s)) > 0 OR strpos(lower(%(key)s), lower(record_key)) > 0)
 ORDER BY length(record_key), record_key LIMIT %(limit)s)
UNION
(SELECT record_key FROM sync.interface_row WHERE sync = %(sync)s AND record_key < %(key)s
 ORDER BY record_key DESC LIMIT %(limit)s)
UNION
(SELECT record_key FROM sync.interface_row WHERE sync = %(sync)s AND record_key > %(key)s
 ORDER BY record_key LIMIT %(limit)s)

-- name: failing_keys_like
SELECT record_key FROM sync.interface_row
WHERE sync = %(sync)s AND status = 'failed' AND starts_with(record_key, %(prefix)s)
ORDER BY record_key LIMIT %(limit)s

-- name: wakes_of
SELECT kind, name, record_key, received_at FROM sync.wake
WHERE name = ANY(%(names)s) AND record_key IN ('', %(key)s) ORDER BY number

-- name: row_versions
SELECT record_key, position, payload_hash, operation = 'delete' AS is_delete FROM sync.interface_row
WHERE sync = %(sync)s AND record_key = ANY(%(keys)s)

-- name: read_pause
SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM sync.connection_pause
WHERE server = %(server)s AND until > clock_timestamp()

-- A pause is only ever prolonged: no answer to another worker may shorten what the server asked for.
-- name: write_pause
INSERT INTO sync.connection_pause (server, until)
VALUES (%(server)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (server) DO UPDATE SET until = greatest(excluded.until, connection_pause.until)

-- How each subject stands: its newest incident, open or over.
-- name: incident_standings
SELECT DISTINCT ON (subject) subject, closed_at IS NULL AS is_open, opened_at AS began_at,
       coalesce(closed_at, opened_at) AS changed_at
FROM sync.incident WHERE kind = %(kind)s ORDER BY subject, id DESC

-- name: open_incident
INSERT INTO sync.incident (subject, kind, opened_at, opened_title, opened_message)
VALUES (%(subject)s, %(kind)s, %(at)s, %(title)s, %(text)s)
ON CONFLICT (subject, kind) WHERE closed_at IS NULL DO NOTHING

-- name: close_incident
UPDATE sync.incident SET closed_at = %(at)s, closed_title = %(title)s, closed_message = %(text)s
WHERE subject = %(subject)s AND kind = %(kind)s AND closed_at IS NULL

-- name: untold_incidents
SELECT id, subject, kind, opened_title, opened_message, opened_accepted, notified_opened,
       closed_title, closed_message, closed_accepted, notified_closed
FROM sync.incident WHERE NOT notified_opened OR (closed_at IS NOT NULL AND NOT notified_closed) ORDER BY id

-- name: note_told_opened
UPDATE sync.incident SET opened_accepted = %(accepted)s, notified_opened = %(complete)s WHERE id = %(id)s

-- name: note_told_closed
UPDATE sync.incident SET closed_accepted = %(accepted)s, notified_closed = %(complete)s WHERE id = %(id)s

-- What is over only since today is needed to tell news from history.
-- name: purge_incidents
DELETE FROM sync.incident WHERE id IN (
    SELECT id FROM sync.incident WHERE closed_at < least(%(before)s, now() - interval '1 day') LIMIT %(limit)s)

-- name: failed_by_sync
SELECT sync, count(*) AS rows FROM sync.interface_row WHERE status = 'failed' GROUP BY sync

-- Rows that have failed and are on their way again: what comes of them is not known yet.
-- name: count_retried
SELECT count(*) AS rows FROM sync.interface_row
WHERE sync = %(sync)s AND status IN ('pending', 'processing') AND first_failed_at IS NOT NULL

-- One for each session of the intake, emptied by every commit: a new table for each call would bloat the catalogue.
-- name: create_pushed
CREATE TEMPORARY TABLE IF NOT EXISTS pushed (
    record_key text, operation text, version bigint, payload jsonb, payload_hash text
) ON COMMIT DELETE ROWS

-- name: copy_pushed
COPY pushed FROM STDIN

-- name: limit_waits
SELECT set_config('statement_timeout', %(statement_ms)s::text, false),
       set_config('lock_timeout', %(lock_ms)s::text, false)

-- Between two versions the higher wins, otherwise who comes later. What says the same as the row is no news, except
-- of a row that has failed and waits for a word. A row that is being written keeps its worker but not the claimed
-- position (see land_staging). Rows are locked in the order of their keys, so that two calls never block each other.
-- name: land_pushed
INSERT INTO sync.interface_row AS r (
    sync, source_system, record_key, entity, operation, position, partition_key, payload, payload_hash, version, status)
SELECT %(sync)s, %(source_system)s, p.record_key, %(entity)s, p.operation, a.second,
       to_char(to_timestamp(a.second) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), p.payload, p.payload_hash, p.version, 'pending'
FROM pushed p CROSS JOIN (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS second) a
ORDER BY p.record_key
ON CONFLICT (sync, source_system, record_key) DO UPDATE SET
    entity = excluded.entity,
    operation = CASE WHEN excluded.operation <> 'create' THEN excluded.operation
                     WHEN r.target_id IS NULL THEN 'create' ELSE 'update' END,
    position = greatest(excluded.position, r.position + 1),
    partition_key = to_char(to_timestamp(greatest(excluded.position, r.position + 1)) AT TIME ZONE 'UTC', 'YYYY-MM-DD'),
    payload = excluded.payload,
    payload_hash = excluded.payload_hash,
    version = coalesce(excluded.version, r.version),
    received_at = now(),
    run_id = NULL,
    attempts = CASE WHEN r.status = 'failed' THEN r.attempts ELSE 0 END,
    next_attempt_at = NULL,
    claimed_position = NULL,
    delete_confirmed = r.operation = 'delete' AND excluded.operation = 'delete'
                       AND (r.delete_confirmed OR r.status = 'processed'),
    status = CASE WHEN r.status = 'processing' THEN 'processing' ELSE 'pending' END
WHERE (excluded.version IS NULL OR r.version IS NULL OR excluded.version >= r.version)
  AND (excluded.payload_hash IS DISTINCT FROM r.payload_hash
       OR (excluded.operation = 'delete') <> (r.operation = 'delete')
       OR (r.status = 'failed' AND r.next_attempt_at IS NULL))
RETURNING r.record_key

-- name: stale_pushed
SELECT r.record_key FROM pushed p JOIN sync.interface_row r
    ON r.sync = %(sync)s AND r.source_system = %(source_system)s AND r.record_key = p.record_key
WHERE p.version < r.version

-- What came with a higher version but says the same is no news, yet nothing below that version is news either.
-- name: raise_versions
UPDATE sync.interface_row r SET version = p.version
FROM pushed p
WHERE r.sync = %(sync)s AND r.source_system = %(source_system)s AND r.record_key = p.record_key
  AND p.version > coalesce(r.version, -1)

-- name: pushed_rows
SELECT record_key, operation, status, version, received_at, attempts, last_attempt_at, next_attempt_at, processed_at,
       target_system, target_id, error_code, error_field, error_message
FROM sync.interface_row
WHERE sync = %(sync)s AND source_system = %(source_system)s AND record_key = ANY(%(keys)s)

-- Counted only up to a bound: a gauge need not tell a million from two.
-- name: count_pending_up_to
SELECT count(*) FROM (
    SELECT 1 FROM sync.interface_row
    WHERE sync = %(sync)s AND status IN ('pending', 'processing') LIMIT %(bound)s) AS few

-- name: notify_waking
SELECT pg_notify('sync_wake', %(whom)s)

-- name: count_wakes
SELECT count(*) FROM (
    SELECT 1 FROM sync.wake WHERE kind = %(kind)s AND name = %(name)s LIMIT %(bound)s) AS few

-- name: record_wakes
INSERT INTO sync.wake (kind, name, record_key, number)
SELECT %(kind)s, %(name)s, key, nextval('sync.wake_number') FROM unnest(%(keys)s::text[]) AS key ORDER BY key
ON CONFLICT (kind, name, record_key) DO UPDATE SET number = excluded.number, received_at = now()

-- name: waiting_wakes
SELECT record_key, number, received_at FROM sync.wake
WHERE kind = %(kind)s AND name = %(name)s ORDER BY number LIMIT %(limit)s

-- name: forget_wakes
DELETE FROM sync.wake w USING unnest(%(keys)s::text[], %(numbers)s::bigint[]) AS taken(record_key, number)
WHERE w.kind = %(kind)s AND w.name = %(name)s AND w.record_key = taken.record_key AND w.number = taken.number

-- name: schema_version
SELECT version_num FROM sync.alembic_version

-- name: seen_fields
SELECT field, kind, required, readonly, share, records, config_hash, seen_at FROM sync.field_seen
WHERE sync = %(sync)s AND side = %(side)s ORDER BY field

-- Runs that look at the same time replace them one after the other.
-- name: lock_fields
SELECT pg_advisory_xact_lock(%(lock_class)s, hashtext(%(sync)s || '/' || %(side)s))

-- name: forget_fields
DELETE FROM sync.field_seen WHERE sync = %(sync)s AND side = %(side)s

-- name: remember_field
INSERT INTO sync.field_seen (sync, side, field, kind, required, readonly, share, records, config_hash)
VALUES (%(sync)s, %(side)s, %(field)s, %(kind)s, %(required)s, %(readonly)s, %(share)s, %(records)s, %(config_hash)s)

-- name: landed_since
SELECT payload FROM sync.interface_row
WHERE sync = %(sync)s AND payload IS NOT NULL AND (%(since)s::timestamptz IS NULL OR received_at > %(since)s)
ORDER BY received_at DESC LIMIT %(limit)s

-- What monitoring asks for again and again. Each statement reads a bounded number of rows by an index, whatever the
-- table holds; counts_by_status alone does not, and is asked rarely.
-- name: figures_of_states
SELECT sync, status, error IS NOT NULL AS has_error, last_position, count_processed, try_count FROM sync.sync_state

-- Rows are written in the order of their positions, so the oldest is among the first.
-- name: figures_of_waiting
SELECT s.sync, extract(epoch FROM clock_timestamp() - w.oldest)::float8 AS seconds
FROM unnest(%(syncs)s::text[]) AS s(sync) CROSS JOIN LATERAL (
    SELECT min(few.received_at) AS oldest FROM (
        SELECT received_at FROM sync.interface_row r
        WHERE r.sync = s.sync AND status IN ('pending', 'processing')
        ORDER BY partition_key, position LIMIT %(bound)s) AS few) AS w
WHERE w.oldest IS NOT NULL

-- name: figures_of_failing
SELECT s.sync, few.code, count(*) AS rows
FROM unnest(%(syncs)s::text[]) AS s(sync) CROSS JOIN LATERAL (
    SELECT coalesce(error_code, 'unknown') AS code FROM sync.interface_row r
    WHERE r.sync = s.sync AND status = 'failed' LIMIT %(bound)s) AS few
GROUP BY s.sync, few.code

-- name: figures_of_relays
SELECT p.sync, count(few.one) AS rows
FROM unnest(%(syncs)s::text[], %(sources)s::text[]) AS p(sync, source) JOIN sync.sync_state s ON s.sync = p.sync
LEFT JOIN LATERAL (
    SELECT 1 AS one FROM sync.interface_row r
    WHERE r.sync = p.source AND r.settled_version >= coalesce(s.last_position, 0)
    ORDER BY r.settled_version LIMIT %(bound)s) AS few ON true
GROUP BY p.sync

-- name: figures_of_incidents
SELECT subject, kind, count(*) AS incidents FROM sync.incident WHERE closed_at IS NULL GROUP BY subject, kind

-- The newest attempt that is visible, and which transactions may still hold an older one back.
-- name: attempts_horizon
SELECT coalesce(max(id), 0) AS newest, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_running,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_transaction
FROM sync.interface_attempt

-- name: figures_of_attempts
SELECT sync, status, count(*) AS attempts FROM sync.interface_attempt
WHERE id > %(after)s AND id <= %(until)s GROUP BY sync, status

-- name: limit_statement
SELECT set_config('statement_timeout', %(statement_ms)s::text, true)
-- name: limit_look
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', %(statement_ms)s::text, true)

-- The pairs of sync and status that have rows: each is one step on the index, however many rows there are.
-- name: browse_places
WITH RECURSIVE place AS (
    (SELECT sync, status FROM sync.interface_row ORDER BY sync, status LIMIT 1)
    UNION ALL
    SELECT later.sync, later.status FROM place CROSS JOIN LATERAL (
        SELECT r.sync, r.status FROM sync.interface_row r
        WHERE (r.sync, r.status) > (place.sync, place.status) ORDER BY r.sync, r.status LIMIT 1) AS later
)
SELECT place.sync, place.status, few.rows FROM place CROSS JOIN LATERAL (
    SELECT count(*) AS rows FROM (
        SELECT 1 FROM sync.interface_row r
        WHERE r.sync = place.sync AND r.status = place.status LIMIT %(bound)s) AS counted) AS few
ORDER BY place.sync, place.status

-- name: browse_sources
WITH RECURSIVE owner AS (
    (SELECT sync, source_system FROM sync.interface_row ORDER BY sync, source_system LIMIT 1)
    UNION ALL
    SELECT later.sync, later.source_system FROM owner CROSS JOIN LATERAL (
        SELECT r.sync, r.source_system FROM sync.interface_row r
        WHERE (r.sync, r.source_system) > (owner.sync, owner.source_system)
        ORDER BY r.sync, r.source_system LIMIT 1) AS later
)
SELECT DISTINCT source_system FROM owner ORDER BY source_system

-- What the pages of rows have in common; a statement takes in a part by its name in braces.
-- part: listed_columns
r.sync, r.source_system, r.record_key, r.operation, r.status, r.error_code, r.error_field, r.error_message,
r.attempts, r.received_at, r.first_failed_at, r.last_attempt_at, r.next_attempt_at, r.target_id

-- part: asked_for
(%(error_code)s::text IS NULL OR r.error_code = %(error_code)s)
AND (%(key)s::text IS NULL OR (r.record_key = %(key)s AND r.source_system = ANY(%(sources)s::text[])))
AND (%(received_from)s::timestamptz IS NULL OR r.received_at >= %(received_from)s)
AND (%(received_to)s::timestamptz IS NULL OR r.received_at < %(received_to)s)
AND (%(failed_from)s::timestamptz IS NULL OR (r.status = 'failed' AND r.first_failed_at >= %(failed_from)s))
AND (%(failed_to)s::timestamptz IS NULL OR (r.status = 'failed' AND r.first_failed_at < %(failed_to)s))

-- part: after_place
(%(after_received)s::timestamptz IS NULL OR (
    r.received_at <= %(after_received)s
    AND (r.received_at, r.record_key, r.sync, r.source_system)
        < (%(after_received)s, %(after_key)s, %(after_sync)s, %(after_source)s)))

-- A page of rows, newest first, going on after the last row of the page before. The newest of each sync and status are
-- merged, so that one index serves whatever is asked. A filter that is not given (NULL) is gone before it is planned,
-- for which this must not be prepared.
-- name: browse_rows
WITH RECURSIVE place AS (
    (SELECT sync, status FROM sync.interface_row ORDER BY sync, status LIMIT 1)
    UNION ALL
    SELECT later.sync, later.status FROM place CROSS JOIN LATERAL (
        SELECT r.sync, r.status FROM sync.interface_row r
        WHERE (r.sync, r.status) > (place.sync, place.status) ORDER BY r.sync, r.status LIMIT 1) AS later
)
SELECT found.* FROM place CROSS JOIN LATERAL (
    SELECT {listed_columns}
    FROM sync.interface_row r
    WHERE r.sync = place.sync AND r.status = place.status
      AND {asked_for}
      AND {after_place}
    ORDER BY r.received_at DESC, r.record_key DESC, r.sync DESC, r.source_system DESC LIMIT %(limit)s) AS found
WHERE (%(sync)s::text IS NULL OR place.sync = %(sync)s) AND (%(status)s::text IS NULL OR place.status = %(status)s)
  AND ((%(failed_from)s::timestamptz IS NULL AND %(failed_to)s::timestamptz IS NULL) OR place.status = 'failed')
ORDER BY found.received_at DESC, found.record_key DESC, found.sync DESC, found.source_system DESC LIMIT %(limit)s

-- How rows with some words are found is not left to the planner: it cannot know how many rows have a word that begins
-- so, and reads a million of them through where it guesses too many. First a few of the newest are read through: of
-- words that many rows have they are a page. Then all rows are found by the index of words, as far as they are not too
-- many (matches says how many there were), and those that wait, which the index leaves out, among the newest. Of too many
-- the newest are read through.
-- name: prefer_words
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'off', true),
       set_config('enable_bitmapscan', 'on', true), set_config('work_mem', '64MB', true)

-- name: prefer_newest
SELECT set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true),
       set_config('enable_bitmapscan', 'off', true)

-- name: browse_words
WITH settled AS MATERIALIZED (
    SELECT {listed_columns}
    FROM sync.interface_row r
    WHERE r.status IN ('processed', 'failed', 'skipped')
      AND sync.words_of(r.record_key, r.error_message, r.payload) @@ to_tsquery('pg_catalog.simple', %(words)s)
      AND (%(sync)s::text IS NULL OR r.sync = %(sync)s)
      AND (%(status)s::text IS NULL OR r.status = %(status)s)
      AND {asked_for}
      AND {after_place}
    LIMIT %(most)s),
waiting AS MATERIALIZED (
    SELECT {listed_columns}
    FROM (
        SELECT r.* FROM sync.interface_row r
        WHERE {after_place}
        ORDER BY r.received_at DESC, r.record_key DESC, r.sync DESC, r.source_system DESC LIMIT %(window)s) AS r
    WHERE r.status IN ('pending', 'processing')
      AND sync.words_of(r.record_key, r.error_message, r.payload) @@ to_tsquery('pg_catalog.simple', %(words)s)
      AND (%(sync)s::text IS NULL OR r.sync = %(sync)s)
      AND (%(status)s::text IS NULL OR r.status = %(status)s)
      AND {asked_for})
SELECT found.*, (SELECT count(*) FROM settled) AS matches
FROM (SELECT * FROM settled UNION ALL SELECT * FROM waiting) AS found
ORDER BY received_at DESC, record_key DESC, sync DESC, source_system DESC LIMIT %(limit)s

-- name: browse_words_among_newest
SELECT {listed_columns}
FROM (
    SELECT r.* FROM sync.interface_row r
    WHERE {after_place}
    ORDER BY r.received_at DESC, r.record_key DESC, r.sync DESC, r.source_system DESC LIMIT %(window)s) AS r
WHERE sync.words_of(r.record_key, r.error_message, r.payload) @@ to_tsquery('pg_catalog.simple', %(words)s)
  AND (%(sync)s::text IS NULL OR r.sync = %(sync)s)
  AND (%(status)s::text IS NULL OR r.status = %(status)s)
  AND {asked_for}
ORDER BY r.received_at DESC, r.record_key DESC, r.sync DESC, r.source_system DESC LIMIT %(limit)s

-- Records that fail now, by the day (UTC) on which they began to, and why; of so many that failed last.
-- name: failures_by_day
SELECT day, code, count(*) AS rows FROM (
    SELECT (first_failed_at AT TIME ZONE 'UTC')::date AS day, coalesce(error_code, '') AS code
    FROM sync.interface_row
    WHERE status = 'failed' AND first_failed_at >= %(since)s AND (%(sync)s::text IS NULL OR sync = %(sync)s)
    ORDER BY first_failed_at DESC LIMIT %(bound)s) AS failed
GROUP BY day, code ORDER BY day, code

-- A person's word: the record is left out until it changes. One that is being written is not touched, nor one that has
-- changed since the person looked. Whoever reads the table on from a settling hears of it.
-- name: skip_row
UPDATE sync.interface_row SET
    status = 'skipped', error_code = 'skipped_by_person', error_field = NULL, error_message = %(reason)s,
    first_failed_at = NULL, next_attempt_at = NULL, awaits = NULL, settled_version = nextval('sync.settling')
WHERE sync = %(sync)s AND source_system = %(source_system)s AND record_key = %(key)s
  AND position = %(position)s AND status IN ('failed', 'pending')
