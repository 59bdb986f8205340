"""Fixtures: an intake, served."""

from collections.abc import Iterator

import pytest

from sync_orchestration_tests.intake.world import Intake, serve_intake


@pytest.fixture
def intake(database_url: str) -> Iterator[Intake]:
    with serve_intake(database_url) as served:
        yield served
