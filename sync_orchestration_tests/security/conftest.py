"""The house of the tests of this folder: all systems, each secret planted, nothing left over from outside."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from sync_orchestration.cli.environment import use_state_folder
from sync_orchestration.components.headless import dagster_instance
from sync_orchestration.definitions import Project
from sync_orchestration.interface.database import connect, state_dir
from sync_orchestration_tests.components.places import own_project
from sync_orchestration_tests.security.house import DATABASE_PASSWORD, House, build

__all__ = ["own_project"]

NewHouse = Callable[..., House]


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that are tried again are so at once."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def new_house(database_url: str, own_project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[NewHouse]:
    """Build the house of a test; its Dagster keeps everything in the test's own database."""
    with ExitStack() as stack:

        def make(**more: Any) -> House:
            url = database_url.replace("postgres@", f"postgres:{DATABASE_PASSWORD}@")
            monkeypatch.setenv("SYNC_POSTGRES_URL", url)
            conn = stack.enter_context(connect(url))
            use_state_folder()
            instance = stack.enter_context(dagster_instance())
            return build(stack, own_project, instance, conn, url, state_dir(), monkeypatch.setenv, **more)

        yield make


@pytest.fixture
def house(new_house: NewHouse) -> House:
    return new_house()
