"""While services run, an embedded PostgreSQL that is killed comes back by itself; one that is stopped stays so."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sync_orchestration.cli.postgres_watch import postgres_kept
from sync_orchestration.interface.embedded import embedded_url, has_crashed, is_running, stop_embedded


@pytest.fixture
def state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder)


class Told:
    """What people were told, and a way to wait for so many sentences."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self._news = threading.Condition()

    def __call__(self, sentence: str) -> None:
        with self._news:
            self.sentences.append(sentence)
            self._news.notify_all()

    def wait_for(self, number: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.sentences) >= number, timeout=60), self.sentences


def kill(state_dir: Path) -> None:
    os.kill(int((state_dir / "postgres/data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def test_a_killed_server_comes_back_at_the_same_address_with_its_data(state_dir: Path) -> None:
    url = embedded_url(state_dir)
    told = Told()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 42 AS n")
    for times in (1, 2):
        with postgres_kept(state_dir, told):
            kill(state_dir)
            told.wait_for(times)
        # The block ends only when the server that was being started has started.
        assert is_running(state_dir)
    assert told.sentences == ["was killed; starts again"] * 2
    with psycopg.connect(url) as conn:
        assert conn.execute("SELECT n FROM kept").fetchone() == (42,)


def test_a_server_that_is_stopped_on_purpose_stays_stopped(state_dir: Path) -> None:
    embedded_url(state_dir, fast_and_unsafe=True)
    told = Told()
    with postgres_kept(state_dir, told):
        stop_embedded(state_dir)
        assert not has_crashed(state_dir)
    assert not is_running(state_dir)
    assert told.sentences == []


def test_a_folder_without_a_server_is_left_alone(state_dir: Path) -> None:
    assert not has_crashed(state_dir)


def test_what_is_wrong_with_a_server_that_does_not_start_is_told_and_tried_again(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_orchestration.cli.postgres_watch._LONGEST_PAUSE", 0.01)
    embedded_url(state_dir, fast_and_unsafe=True)
    kill(state_dir)
    control = state_dir / "postgres/data/global/pg_control"
    aside = control.rename(control.with_suffix(".aside"))
    told = Told()
    with postgres_kept(state_dir, told):
        told.wait_for(2)
        aside.rename(control)
        told.wait_for(3)
    assert told.sentences[0] == "was killed; starts again"
    assert "pg_control" in told.sentences[1]
    assert is_running(state_dir)
