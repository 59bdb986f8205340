"""The embedded PostgreSQL belongs to its state folder: it outlives every process and comes back after every death."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import psycopg
import pytest

from sync_orchestration.interface.embedded import EmbeddedPostgresError, embedded_url, is_running, stop_embedded

ASK_FOR_URL = """
import sys
from pathlib import Path
from sync_orchestration.interface.embedded import embedded_url
print(embedded_url(Path(sys.argv[1]), fast_and_unsafe=True), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A folder with a short name: pytest's own are too long for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder)


@pytest.fixture
def other_state_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="sync-"))
    yield folder
    stop_embedded(folder)
    shutil.rmtree(folder)


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def value_of(url: str, sql: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(sql.encode()).fetchone()
    assert row is not None
    return row[0]


def postmaster_pid(state_dir: Path) -> int:
    return int((state_dir / "postgres/data/postmaster.pid").read_text().split()[0])


def kill_server(state_dir: Path) -> None:
    os.kill(postmaster_pid(state_dir), signal.SIGKILL)
    wait_until(lambda: not is_running(state_dir))


def ask_in_another_process(state_dir: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASK_FOR_URL, str(state_dir)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def url_from(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def socket_of(url: str) -> Path:
    """The socket file of the server at `url`."""
    query = parse_qs(urlsplit(url).query)
    return Path(query["host"][0]) / f".s.PGSQL.{query['port'][0]}"


def test_a_server_in_the_place_of_a_deleted_one_has_a_socket_of_its_own(state_dir: Path) -> None:
    before = socket_of(embedded_url(state_dir, fast_and_unsafe=True))
    shutil.rmtree(state_dir / "postgres")

    after = socket_of(embedded_url(state_dir, fast_and_unsafe=True))

    assert after.name != before.name


def test_it_is_a_durable_utf8_server_that_listens_on_no_port(state_dir: Path) -> None:
    url = embedded_url(state_dir)

    assert url.startswith(f"postgresql://postgres@/postgres?host={state_dir.resolve()}/postgres&port=")
    assert value_of(url, "SHOW fsync") == "on"
    assert value_of(url, "SHOW synchronous_commit") == "on"
    assert value_of(url, "SHOW listen_addresses") == ""
    assert value_of(url, "SHOW max_connections") == "200"
    assert value_of(url, "SHOW server_encoding") == "UTF8"
    assert value_of(url, "SELECT lower('ŽLUŤOUČKÝ ЖУК')") == "žluťoučký жук"
    assert value_of(url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{a,B,č}'::text[]) x") == "Bač"


def test_only_a_test_asks_for_speed_without_durability(state_dir: Path) -> None:
    assert value_of(embedded_url(state_dir, fast_and_unsafe=True), "SHOW fsync") == "off"


def test_asking_again_finds_it_and_stopping_twice_is_harmless(state_dir: Path) -> None:
    assert not is_running(state_dir)
    stop_embedded(state_dir)
    url = embedded_url(state_dir, fast_and_unsafe=True)
    pid = postmaster_pid(state_dir)

    assert embedded_url(state_dir) == url
    assert postmaster_pid(state_dir) == pid
    assert is_running(state_dir)

    stop_embedded(state_dir)
    stop_embedded(state_dir)
    assert not is_running(state_dir)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_processes_that_ask_at_the_same_time_share_one_server_that_outlives_them(state_dir: Path) -> None:
    askers = [ask_in_another_process(state_dir) for _ in range(4)]
    urls = {url_from(asker) for asker in askers}
    for asker in askers[:2]:
        asker.kill()
    for asker in askers:
        asker.communicate()

    assert len(urls) == 1
    assert value_of(urls.pop(), "SELECT 1") == 1
    assert (state_dir / "postgres/server.log").read_text().count("starting PostgreSQL") == 1


def test_a_killed_server_comes_back_with_its_data(state_dir: Path) -> None:
    url = embedded_url(state_dir)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS n")

    kill_server(state_dir)

    assert value_of(embedded_url(state_dir), "SELECT n FROM kept") == 42


def test_a_process_that_got_the_number_of_a_killed_server_is_not_taken_for_it(state_dir: Path) -> None:
    url = embedded_url(state_dir, fast_and_unsafe=True)
    dead = str(postmaster_pid(state_dir))
    kill_server(state_dir)
    for name in ("data/postmaster.pid", f"{socket_of(url).name}.lock"):
        stale = state_dir / "postgres" / name
        stale.write_text(stale.read_text().replace(dead, str(os.getpid()), 1))

    assert not is_running(state_dir)
    assert embedded_url(state_dir, fast_and_unsafe=True) == url
    assert value_of(url, "SELECT 1") == 1


def test_a_starter_killed_halfway_leaves_nothing_in_the_way(state_dir: Path) -> None:
    asker = ask_in_another_process(state_dir)
    wait_until((state_dir / "postgres").exists)
    orphans = psutil.Process(asker.pid).children(recursive=True)
    asker.kill()
    asker.communicate()

    assert value_of(embedded_url(state_dir, fast_and_unsafe=True), "SELECT 1") == 1
    psutil.wait_procs(orphans)


def test_a_server_whose_socket_was_removed_is_reachable_again(state_dir: Path) -> None:
    url = embedded_url(state_dir, fast_and_unsafe=True)
    socket_of(url).unlink()

    assert embedded_url(state_dir, fast_and_unsafe=True) == url
    assert value_of(url, "SELECT 1") == 1


@pytest.mark.parametrize("name", ["a" * 100, "a b,c:d'é%"])
def test_a_path_unfit_for_a_socket_gets_a_private_folder_elsewhere(state_dir: Path, name: str) -> None:
    unfit = state_dir / name
    url = embedded_url(unfit, fast_and_unsafe=True)
    sockets = socket_of(url).parent
    try:
        assert value_of(url, "SELECT 1") == 1
        assert sockets.parent == Path(tempfile.gettempdir()).resolve()
        assert sockets.stat().st_mode & 0o777 == 0o700
        assert embedded_url(unfit) == url
    finally:
        stop_embedded(unfit)
    assert not sockets.exists()


def test_a_socket_folder_that_others_may_enter_is_refused(state_dir: Path) -> None:
    unfit = state_dir / ("a" * 100)
    sockets = socket_of(embedded_url(unfit, fast_and_unsafe=True)).parent
    stop_embedded(unfit)
    sockets.mkdir()
    sockets.chmod(0o777)
    try:
        with pytest.raises(EmbeddedPostgresError, match="only its owner may enter"):
            embedded_url(unfit, fast_and_unsafe=True)
    finally:
        sockets.rmdir()


def test_two_state_folders_never_disturb_each_other(state_dir: Path, other_state_dir: Path) -> None:
    first = embedded_url(state_dir, fast_and_unsafe=True)
    second = embedded_url(other_state_dir, fast_and_unsafe=True)
    assert first != second

    stop_embedded(state_dir)

    assert not is_running(state_dir)
    assert value_of(second, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why(state_dir: Path) -> None:
    embedded_url(state_dir, fast_and_unsafe=True)
    stop_embedded(state_dir)
    (state_dir / "postgres/data/global/pg_control").unlink()

    with pytest.raises(EmbeddedPostgresError, match=r"did not start; .*server\.log ends: .*pg_control"):
        embedded_url(state_dir, fast_and_unsafe=True)


def test_data_of_another_version_is_left_alone(state_dir: Path) -> None:
    embedded_url(state_dir, fast_and_unsafe=True)
    stop_embedded(state_dir)
    (state_dir / "postgres/data/PG_VERSION").write_text("16\n")

    with pytest.raises(EmbeddedPostgresError, match="was written by PostgreSQL 16, this program brings 18"):
        embedded_url(state_dir, fast_and_unsafe=True)


def test_a_state_folder_that_cannot_be_made_is_named(state_dir: Path) -> None:
    (state_dir / "file").touch()

    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*file"):
        embedded_url(state_dir / "file")
