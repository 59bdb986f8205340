"""A dry run tells what a run would do, and does none of it."""

from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection

from sync_orchestration.interface.looks import known_rows
from sync_orchestration.interface.rows import Scope, hire_worker
from sync_orchestration.mapping.compile import compile_mapping
from sync_orchestration.pipeline.guard import DeleteGuard
from sync_orchestration.pipeline.land import Reader
from sync_orchestration.pipeline.landing import Landing
from sync_orchestration.pipeline.plan import Translation
from sync_orchestration.pipeline.preview import Preview, Previewer
from sync_orchestration.pipeline.write import Writer, Writing
from sync_orchestration_tests.pipeline.toys import Notes, ToySource, ToyTarget

SYNC = "toy_sync"
FIELDS = {"name": "name", "email": "email"}


@dataclass
class Stage:
    """A source, a target, and the sync between them."""

    conn: Connection[Any]
    source: ToySource
    target: ToyTarget

    @property
    def translation(self) -> Translation:
        rules = [{"field": "name", "rule": "required"}]
        return Translation(compile_mapping(FIELDS, rules), lambda key: f"toy_{key}")

    @property
    def landing(self) -> Landing:
        return Landing(SYNC, "toy", "thing", fetch_batch=2)

    def run(self) -> None:
        observer = Notes()
        Reader(self.conn, self.source, self.landing, "run", observer).bring_up_to_date()
        writing = Writing(SYNC, "toys", self.translation, DeleteGuard())
        Writer(hire_worker(self.conn, "run"), self.target, writing, observer).write(Scope())

    def preview(self, *keys: str, whole: bool = False) -> Preview:
        previewer = Previewer(self.conn, self.source, self.landing, self.target, self.translation)
        return previewer.of(keys) if keys else previewer.everything_new(whole=whole)


@pytest.fixture
def stage(conn: Connection[Any]) -> Stage:
    found = Stage(conn, ToySource(), ToyTarget())
    for number in range(1, 6):
        found.source.put(str(number), name=f"Name {number}", email=f"{number}@example.com")
    return found


def lines(preview: Preview) -> list[tuple[str, ...]]:
    return [tuple(row) for row in preview.table.itertuples(index=False)]


def test_before_the_first_run_every_record_would_be_created_and_none_is(stage: Stage) -> None:
    preview = stage.preview()
    assert preview.counts == {"create": 5}
    assert ("create", "1", "name", "", "Name 1") in lines(preview)
    assert stage.target.stored == {}
    assert known_rows(stage.conn, SYNC, None) == []


def test_a_change_is_shown_field_by_field_before_and_after(stage: Stage) -> None:
    stage.run()
    stage.source.put("3", email="new@example.com")
    preview = stage.preview()
    assert preview.counts == {"update": 1}
    assert lines(preview) == [("update", "3", "email", "3@example.com", "new@example.com")]
    assert stage.preview("3").counts == {"update": 1}
    assert stage.target.stored["toy_3"]["email"] == "3@example.com"


def test_a_delete_a_failure_and_a_record_that_is_up_to_date_are_told_apart(stage: Stage) -> None:
    stage.run()
    stage.source.drop("1")
    stage.source.put("2", name="")
    preview = stage.preview(whole=True)
    assert preview.counts == {"delete": 1, "fail": 1, "unchanged": 3}
    assert ("fail", "2", "name", "", "name is required and is empty") in lines(preview)


def test_what_a_dry_run_says_is_what_the_run_then_does(stage: Stage) -> None:
    stage.run()
    stage.source.put("4", name="Other")
    stage.source.put("6", name="Six")
    stage.source.drop("5")
    told = stage.preview()
    stage.target.written.clear()
    stage.run()
    assert told.counts == {"update": 1, "create": 1, "delete": 1}
    assert (sorted(stage.target.written), stage.target.deleted) == (["4", "6"], ["5"])
    assert stage.preview().counts == {}


def test_more_fields_than_are_shown_are_counted(stage: Stage) -> None:
    previewer = Previewer(stage.conn, stage.source, stage.landing, stage.target, stage.translation)
    preview = previewer.everything_new(shown=3)
    assert (len(preview.table), preview.more) == (3, 7)
