"""The sensor that follows what people say in the record browser: records are tried or read again at once."""

import json
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import psycopg

from sync_orchestration.components.connections import Connection, unset_variables
from sync_orchestration.components.database import InterfaceDatabase
from sync_orchestration.components.run_requests import SYNC_TAG, run_is_unfinished
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.database import DatabaseError
from sync_orchestration.interface.persons_word import WORDS, Word
from sync_orchestration.interface.wakes import Wake, forget_wakes, waiting_wakes

_SECONDS = 5
_MOST_KEYS = 500


def word_sensor(
    syncs: Sequence[SyncSettings],
    connections: Mapping[str, Connection],
    retry_job: dg.JobDefinition,
    reread_job: dg.JobDefinition,
) -> dg.SensorDefinition:
    """Build the one sensor for all syncs; a word about a sync that cannot run now waits."""
    jobs: dict[Word, dg.JobDefinition] = {"retry": retry_job, "reread": reread_job}

    @dg.sensor(
        name="record_browser_sensor",
        jobs=[retry_job, reread_job],
        minimum_interval_seconds=_SECONDS,
        required_resource_keys={"interface"},
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Follows the buttons of the record browser: runs the jobs that try or read chosen records again.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        interface: InterfaceDatabase = context.resources.interface
        followed: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        ready = [sync for sync in syncs if _can_run(context.instance, sync, connections)]
        requests: list[dg.RunRequest] = []
        try:
            with interface.session() as conn:
                for sync, word, said in _said(conn, ready, followed):
                    requests.append(_request(jobs[word], sync, said))
                    followed[f"{word}/{sync.name}"] = said[-1].number
        except DatabaseError as error:
            return dg.SkipReason(str(error))
        if not requests:
            return dg.SkipReason("nobody has asked for anything that can be done now")
        return dg.SensorResult(run_requests=requests, cursor=json.dumps(followed, sort_keys=True))

    return sensor


def _can_run(instance: dg.DagsterInstance, sync: SyncSettings, connections: Mapping[str, Connection]) -> bool:
    used = [connections[name] for name in sync.connections if name in connections]
    return not unset_variables(used) and not run_is_unfinished(instance, sync.name)


def _said(
    conn: psycopg.Connection[object], syncs: Sequence[SyncSettings], followed: Mapping[str, int]
) -> Iterator[tuple[SyncSettings, Word, list[Wake]]]:
    """Yield for each sync one word that is not followed yet, oldest first, of at most as many records as a run takes.

    A word is forgotten a tick after it was followed: then the cursor, which Dagster stores with the run that was asked
    for, says so.
    """
    for sync in syncs:
        for word in WORDS:
            waiting = waiting_wakes(conn, word, sync.name)
            last = followed.get(f"{word}/{sync.name}", 0)
            forget_wakes(conn, word, sync.name, [one for one in waiting if one.number <= last])
            if said := [one for one in waiting if one.number > last and one.record_key][:_MOST_KEYS]:
                yield sync, word, said
                break  # two runs of one sync at a time would wait for each other's rows


def _request(job: dg.JobDefinition, sync: SyncSettings, said: Sequence[Wake]) -> dg.RunRequest:
    (op,) = (node.name for node in job.nodes)
    config = {"sync": sync.name, "keys": [one.record_key for one in said]}
    return dg.RunRequest(
        run_key=f"{job.name} {sync.name} {said[-1].number}",
        job_name=job.name,
        run_config={"ops": {op: {"config": config}}},
        tags={SYNC_TAG: sync.name},
    )
