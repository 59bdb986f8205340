"""Fixtures: a record browser, served, and rows to look at."""

from collections.abc import Iterator

import pytest

from sync_orchestration_tests.intake.records.library import Library, serve_library


@pytest.fixture
def library(database_url: str) -> Iterator[Library]:
    with serve_library(database_url) as served:
        yield served
