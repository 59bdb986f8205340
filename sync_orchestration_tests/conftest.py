"""Fixtures that every test may use: a database of its own on one embedded PostgreSQL, and the stand-in servers."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from sync_orchestration.interface.database import connect
from sync_orchestration.interface.embedded import embedded_url, stop_embedded
from sync_orchestration_tests.databases import own_database

settings.register_profile(
    "default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("thorough", parent=settings.get_profile("default"), max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """One embedded PostgreSQL for the test session (one for each xdist worker); yields its URL."""
    # Short on purpose: a Unix socket's path has about a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    try:
        yield embedded_url(folder, fast_and_unsafe=True)
    finally:
        stop_embedded(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database_url(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty database of the test's own, with the interface tables; the settings name it too."""
    with own_database(postgres_server) as url:
        monkeypatch.setenv("SYNC_POSTGRES_URL", url)
        yield url


@pytest.fixture
def conn(database_url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """An autocommit connection to the test's database."""
    with connect(database_url) as connection:
        yield connection


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep the machine's own settings and the checkout's state out of the tests, and no database after them."""
    prefixes = ("FLEXI_", "ODOO_", "ALFRESCO_", "KONTUR_", "REST_", "INTAKE_", "SYNC_", "DAGSTER_", "OTEL_")
    for name in [name for name in os.environ if name.startswith(prefixes)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SYNC_STATE_DIR", str(tmp_path / "state"))
    yield
    stop_embedded(tmp_path / "state")
