"""Whatever people change, whatever breaks and whoever is killed: when it is over, Odoo holds what Flexi holds.

Random histories against the stand-in servers over HTTP. A history changes Flexi (also in transactions that commit
late, and by restoring a backup), breaks requests in both systems, kills passes at any request, lets a rival pass run in
the middle of another, reads windows again, retries and syncs chosen records. Then the faults stop, the sync is brought
up to date, and both systems are compared record by record.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

import psycopg
import pytest
import yaml
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sync_orchestration.components.chosen import retry_failed, sync_chosen
from sync_orchestration.components.planning import Plan, plan_next_run
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.interface.database import connect
from sync_orchestration.interface.rows import Scope, counts_by_status, failing_keys
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import FeedResetError, SyncError, UnavailableError
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.windows import window_of_key
from sync_orchestration.sandbox.faults import FaultKind, FaultRule
from sync_orchestration.sandbox.flexi.company import OpenTransaction
from sync_orchestration_tests.databases import own_database
from sync_orchestration_tests.faults import expected
from sync_orchestration_tests.faults.world import HAND_MADE_REGISTRY, Stage, System, stage

MOST_PASSES = 40
MOST_TO_SHRINK = 200  # examples
OLDEST_TRANSACTION = 600  # versions; well within the overlap of 1000

Conn = psycopg.Connection[Any]


class KilledError(BaseException):
    """The process ends here; like KeyboardInterrupt it is nobody's to catch."""


def sync_settings() -> SyncSettings:
    """The sync that the project ships, with contacts as children, a condition, and small batches."""
    text = resources.files("sync_orchestration.defs").joinpath("flexi_partners/defs.yaml").read_text("utf-8")
    attributes = yaml.safe_load(text)["attributes"]
    attributes["source"] |= {"children": {"kontakt": "kontakty"}, "window": 100, "page": 3}
    attributes["target"] |= {"batch": 3}
    attributes["mapping"] |= {"function": "kontakty.0.prijmeni"}
    attributes["when"] = "poznam != 'internal'"
    attributes["triggers"] = {"windows_per_run": 2, "retry_delays_seconds": [0, 0, 0]}
    return SyncSettings.model_validate(attributes)


class Quiet:
    """Hears how a pass goes on and says nothing."""

    def progress(self, step: str, count: int) -> None:
        """Nobody listens."""

    def warn(self, message: str) -> None:
        """Nobody listens."""


# What may happen

TEXTS = st.sampled_from(["", "Alfa", " Beta, s.r.o. ", "Žluťoučký & syn <kůň>", "Gamma"])
WHERE = st.sampled_from(
    [
        {},
        {"stat": "", "dic": ""},
        {"stat": "code:CZ", "dic": "CZ12345679"},
        {"stat": "code:SK", "dic": ""},
        {"stat": "code:CZ", "dic": expected.REFUSED_VAT},
        {"stat": "code:XX", "dic": ""},
    ]
)
GOOD_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "nazev": st.sampled_from(["Alfa", " Beta, s.r.o. ", "Žluťoučký & syn", "Gamma"]),
        "ic": st.sampled_from(["", HAND_MADE_REGISTRY, "11111111", "22222222"]),
        "email": st.sampled_from(["", "a@example.com", "a@example.com; b@example.com"]),
        "www": st.sampled_from(["", "www.alfa.example"]),
        "ulice": TEXTS,
        "mesto": TEXTS,
        "psc": st.sampled_from(["", "110 00"]),
        "tel": st.sampled_from(["", "+420 111 222 333"]),
        "mobil": st.sampled_from(["", "+420 777 222 333"]),
        "popis": st.sampled_from(["", "Platí pozdě.", "řádek & <konec>"]),
        "platiDo": st.sampled_from(["9999", "2015", "2099"]),
        "poznam": st.sampled_from(["", "", "internal"]),
    },
)
BAD_FIELDS = st.sampled_from([{"email": "info(at)alfa"}, {"nazev": "  "}, {"email": "a@example.com, nobody"}])
FIELDS = st.builds(
    lambda fields, where: {**fields, **where}, st.one_of(GOOD_FIELDS, GOOD_FIELDS, GOOD_FIELDS, BAD_FIELDS), WHERE
)
NUMBER = st.integers(0, 7)
SYSTEMS: st.SearchStrategy[System] = st.sampled_from(["flexi", "odoo"])


@dataclass(frozen=True)
class Deed:
    """What somebody does in Flexi: a method of the history, the record meant, the fields given."""

    what: str
    number: int
    values: dict[str, str]


DEEDS = st.builds(
    Deed,
    st.sampled_from(
        [
            "create",
            "create",
            "update",
            "update",
            "update",
            "delete",
            "add_contact",
            "rename_contact",
            "move_contact",
            "delete_contact",
            "delete_contact",
            "issue_documents",
            "create_late",
            "update_late",
            "delete_late",
            "commit",
            "commit",
        ]
    ),
    NUMBER,
    FIELDS,
)


@dataclass(frozen=True)
class Disturbance:
    """What happens just before one request of a pass: a kill, or a deed in Flexi, which a rival pass may see first."""

    what: str
    deed: Deed


DISTURBANCES = st.dictionaries(
    st.integers(1, 30), st.builds(Disturbance, st.sampled_from(["kill", "rival", "deed"]), DEEDS), max_size=3
)


FAULTS = st.builds(
    FaultRule,
    kind=st.sampled_from(["status", "reset", "reset_after", "truncate", "html"]),
    status=st.sampled_from([500, 502, 503, 429]),
    headers=st.sampled_from([{}, {"Retry-After": "0"}, {"Retry-After": "1"}]),
    times=st.integers(1, 6),
    skip=st.integers(0, 9),
)

RUNS = ["sync", "sync", "sync", "sync", "sync", "read", "write", "again", "retry", "chosen", "full", "restore"]
"""What a process may be there for; mostly to bring the sync up to date."""


class NothingThereError(Exception):
    """There is no such record to do something to."""


def one_of(ids: list[int], number: int) -> int:
    if not ids:
        raise NothingThereError
    return ids[number % len(ids)]


class History(RuleBasedStateMachine):
    """People, faults and passes, in any order."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[int, OpenTransaction] = {}
        self.interrupted: set[str] = set()
        self.claimed: set[str] = set()
        self.ends: list[SyncError] = []
        self.codes = 0
        self.first_version = 0

    @initialize(names=st.lists(FIELDS, min_size=1, max_size=6))
    def some_partners(self, names: list[dict[str, str]]) -> None:
        self.stage.begin()
        self.first_version = self.stage.company.global_version
        for number, values in enumerate(names):
            self.create(Deed("create", 0, values))
            if number % 2 == 0:
                self.do(Deed("add_contact", number, values))

    @rule(
        deeds=st.lists(DEEDS, min_size=1, max_size=5),
        faults=st.lists(st.tuples(SYSTEMS, FAULTS), max_size=2),
        run=st.sampled_from(RUNS),
        number=NUMBER,
        disturbances=DISTURBANCES,
    )
    def day(
        self,
        deeds: list[Deed],
        faults: list[tuple[System, FaultRule]],
        run: str,
        number: int,
        disturbances: dict[int, Disturbance],
    ) -> None:
        """People work, something breaks, a process runs; the next day all waits are over and all is mended."""
        for deed in deeds:
            self.do(deed)
        for system, fault in faults:
            self.stage.break_requests(system, fault)
        with self.session(disturbances) as conn:
            getattr(self, f"only_{run}")(conn, number)
        self.stage.mend()
        self.time_passes()

    # People in Flexi

    def do(self, deed: Deed) -> None:
        """Do it, unless there is nothing to do it to."""
        with suppress(NothingThereError):
            getattr(self, deed.what)(deed)
        self.commit_old()

    def create(self, deed: Deed) -> None:
        self.codes += 1
        fields = {"kod": f"K{self.codes}", "nazev": f"Firma {self.codes}", **deed.values}
        self.stage.company.create("adresar", fields, unchecked=True)

    def update(self, deed: Deed) -> None:
        self.stage.company.update("adresar", self.free(deed.number), deed.values, unchecked=True)

    def delete(self, deed: Deed) -> None:
        self.stage.company.delete("adresar", self.free(deed.number))

    def add_contact(self, deed: Deed) -> None:
        fields = {"prijmeni": deed.values.get("mesto") or "Novák", "firma": str(self.free(deed.number))}
        self.stage.company.create("kontakt", fields)

    def rename_contact(self, deed: Deed) -> None:
        self.stage.company.update(
            "kontakt", self.contact(deed.number), {"prijmeni": deed.values.get("mesto") or "Černý"}
        )

    def move_contact(self, deed: Deed) -> None:
        self.stage.company.update("kontakt", self.contact(deed.number), {"firma": str(self.free(deed.number // 2))})

    def delete_contact(self, deed: Deed) -> None:
        self.stage.company.delete("kontakt", self.contact(deed.number))

    def issue_documents(self, deed: Deed) -> None:
        """Versions pass that are none of the sync's business."""
        self.stage.company.noise_changes(11 * deed.number)

    def create_late(self, deed: Deed) -> None:
        """Somebody works for long: the version is taken now, the effect shows at the commit."""
        self.codes += 1
        transaction = self.stage.company.open_transaction()
        name = deed.values.get("nazev", "").strip() or "Late"
        locked = transaction.create("adresar", {**deed.values, "kod": f"K{self.codes}", "nazev": name})
        self.open[locked] = transaction

    def update_late(self, deed: Deed) -> None:
        locked = self.free(deed.number)
        transaction = self.stage.company.open_transaction()
        transaction.update("adresar", locked, {n: value for n, value in deed.values.items() if n != "nazev"})
        self.open[locked] = transaction

    def delete_late(self, deed: Deed) -> None:
        locked = self.free(deed.number)
        transaction = self.stage.company.open_transaction()
        transaction.delete("adresar", locked)
        self.open[locked] = transaction

    def commit(self, deed: Deed) -> None:
        if self.open:
            self.open.pop(sorted(self.open)[deed.number % len(self.open)]).commit()

    def restore_a_backup(self, back: int) -> None:
        """After which a person orders a full read, as the documentation says."""
        company = self.stage.company
        self.open.clear()
        self.stage.flexi_world.restore("demo", max(company.global_version - back, self.first_version))
        order_full_read(self.stage.admin, self.name)

    def free(self, number: int) -> int:
        """A record that no open transaction holds."""
        return one_of([one for one in self.stage.company.ids("adresar") if one not in self.open], number)

    def contact(self, number: int) -> int:
        """A contact whose company no open transaction holds."""
        contacts = [self.stage.company.record("kontakt", one) or {} for one in self.stage.company.ids("kontakt")]
        return one_of([int(c["id"]) for c in contacts if int(c["firma"]) not in self.open], number)

    def commit_old(self) -> None:
        newest = self.stage.company.log.last_assigned
        for key in [k for k, tx in self.open.items() if newest - min(tx._versions) > OLDEST_TRANSACTION]:
            self.open.pop(key).commit()

    # The sync

    def sync(self, disturbances: dict[int, Disturbance] | None = None) -> None:
        with self.session(disturbances or {}) as conn:
            self.only_sync(conn, 3)

    def only_sync(self, conn: Conn, number: int) -> None:
        plan = self.plan(conn)
        if plan.windows:
            self.read(conn, plan)
            self.write(conn, plan, 1 + number % 4)

    def only_read(self, conn: Conn, number: int) -> None:
        plan = self.plan(conn)
        if plan.windows:
            self.read(conn, plan)

    def only_write(self, conn: Conn, number: int) -> None:
        with running_pass(conn, self.name, self.settings.retry_policy, "c"):
            self.writer(conn, 1 + number % 4)(Scope())

    def only_again(self, conn: Conn, number: int) -> None:
        """Somebody materializes an old window in the UI."""
        window = window_of_key(f"{number % 3 * 100:012d}", 100)
        cursor = read_state(conn, self.name).last_position
        if cursor is not None and window.end <= cursor:
            with running_pass(conn, self.name, self.settings.retry_policy, "c"):
                source = OpenSource.of(self.settings, self.stage.flexi)
                source.reader(conn, "again", Quiet()).read_again(window)

    def only_retry(self, conn: Conn, number: int) -> None:
        retry_failed(conn, self.settings, self.stage.connections, None, "retry", Quiet())

    def only_chosen(self, conn: Conn, number: int) -> None:
        ids = [*self.stage.company.ids("adresar"), 404]
        keys = [str(ids[number % len(ids)]), str(ids[number // 2 % len(ids)])]
        sync_chosen(conn, self.settings, self.stage.connections, keys, "chosen", Quiet())

    def only_full(self, conn: Conn, number: int) -> None:
        order_full_read(conn, self.name)
        self.only_sync(conn, number)

    def only_restore(self, conn: Conn, number: int) -> None:
        self.restore_a_backup(number)
        self.only_sync(conn, number)

    def time_passes(self) -> None:
        """Every wait that the tables know of is over."""
        self.stage.admin.execute("UPDATE sync.sync_state SET next_try = now() WHERE next_try IS NOT NULL")
        self.stage.admin.execute(
            "UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL"
        )
        self.stage.admin.execute("DELETE FROM sync.connection_pause")

    @property
    def settings(self) -> SyncSettings:
        return self.stage.settings

    @property
    def name(self) -> str:
        return self.stage.settings.name

    def plan(self, conn: Conn) -> Plan:
        try:
            return plan_next_run(conn, self.settings, OpenSource.of(self.settings, self.stage.flexi).source)
        except FeedResetError:
            order_full_read(conn, self.name)
            raise

    def read(self, conn: Conn, plan: Plan) -> None:
        """The first step of a run: as the source's asset does it when it catches up."""
        cursor = read_state(conn, self.name).last_position
        with running_pass(conn, self.name, self.settings.retry_policy, "c", to_its_end=False):
            if cursor is None or plan.windows[-1].end > cursor:
                source = OpenSource.of(self.settings, self.stage.flexi)
                source.reader(conn, "read", Quiet()).bring_up_to_date(until=plan.windows[-1].end)

    def write(self, conn: Conn, plan: Plan, claim_batch: int) -> None:
        """The second step of a run: as the target's asset does it."""
        with running_pass(conn, self.name, self.settings.retry_policy, "c"):
            self.writer(conn, claim_batch)(Scope(partition_keys=[window.key for window in plan.windows]))

    def writer(self, conn: Conn, claim_batch: int) -> Callable[[Scope], object]:
        quiet = Quiet()
        target = OpenTarget.of(self.settings, self.stage.flexi, self.stage.odoo, quiet.warn)
        writer = target.writer(conn, "write", quiet)
        writer.writing = replace(writer.writing, claim_batch=claim_batch)
        return writer.write

    @contextmanager
    def session(self, disturbances: dict[int, Disturbance]) -> Iterator[Conn]:
        """A process of its own: what it fails at, and that it is killed, is its own end and nobody else's."""
        requests = 0
        running = True
        with connect(self.stage.database_url) as conn:

            def heard(system: str) -> None:
                nonlocal requests, running
                if system == "odoo":
                    self.claimed |= self.being_written()
                if not running:
                    return  # a rival's requests
                requests += 1
                disturbance = disturbances.get(requests)
                if disturbance is not None:
                    running = False
                    self.disturb(disturbance, conn)
                    running = True

            self.stage.watch(heard)
            self.claimed = set()
            try:
                yield conn
            except KilledError:
                self.interrupted |= self.claimed
            except SyncError as error:
                self.interrupted |= self.claimed
                self.ends.append(error)
            except psycopg.OperationalError:
                # What a killed process fails at last is the session that it has no more.
                self.interrupted |= self.claimed
                if not conn.closed:
                    raise
            finally:
                self.stage.watch(lambda system: None)

    def being_written(self) -> set[str]:
        found = self.stage.admin.execute("SELECT record_key FROM sync.interface_row WHERE status = 'processing'")
        return {key for (key,) in found}

    def disturb(self, disturbance: Disturbance, conn: Conn) -> None:
        if disturbance.what == "kill":
            self.stage.admin.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])
            raise KilledError
        self.do(disturbance.deed)
        if disturbance.what == "rival":
            self.rival(disturbance.deed.number)

    def rival(self, number: int) -> None:
        """Another process runs a whole pass now; it gives up at what the first one has locked, for that one waits."""
        with connect(self.stage.database_url) as conn:
            conn.execute("SET lock_timeout = '20ms'")
            try:
                self.only_sync(conn, number)
            except (SyncError, psycopg.errors.LockNotAvailable):
                self.interrupted |= self.claimed

    # The end

    def teardown(self) -> None:
        if hasattr(self.stage, "company"):
            self.calm_down()
            self.check_that_odoo_holds_what_flexi_holds()
            self.check_the_interface_table()

    def calm_down(self) -> None:
        self.stage.mend()
        for transaction in list(self.open.values()):
            transaction.commit()
        self.open.clear()
        for _ in range(MOST_PASSES):
            self.time_passes()
            with self.session({}) as conn:
                plan = self.plan(conn)
                if not plan.windows:
                    return
                self.read(conn, plan)
                self.write(conn, plan, 4)
        raise AssertionError(f"still something to do after {MOST_PASSES} passes")

    def check_that_odoo_holds_what_flexi_holds(self) -> None:
        partners = {partner["id"]: partner for partner in self.stage.partners()}
        links = self.stage.links()
        linked = dict(links)
        assert len(linked) == len(links), "two external ids for one record"
        assert len(set(linked.values())) == len(links), "two records share a partner"
        assert set(partners) - self.stage.odoo_before <= set(linked.values()), "a partner that nobody knows"
        flexi = expected.records(self.stage.company)
        version, countries = self.stage.version, self.stage.countries()
        good = [
            key for key, record in flexi.items() if not expected.is_skipped(record) and not expected.is_refused(record)
        ]
        found = {
            key: expected.partner_values(partners[linked[key]], version, countries) for key in good if key in linked
        }
        assert found == {key: expected.values(flexi[key], version) for key in good}
        for key in linked.keys() - flexi.keys():
            assert not partners[linked[key]]["active"], f"{key} is gone from Flexi, but not from Odoo"

    def check_the_interface_table(self) -> None:
        admin, flexi = self.stage.admin, expected.records(self.stage.company)
        rows = admin.execute("SELECT record_key, status, error_message FROM sync.interface_row").fetchall()
        status = {key: value for key, value, _ in rows}
        assert set(counts_by_status(admin).get(self.name, {})) <= {"processed", "failed", "skipped"}
        skipped = {key for key, record in flexi.items() if expected.is_skipped(record)}
        refused = {key for key, record in flexi.items() if expected.is_refused(record)} - skipped
        assert set(failing_keys(admin, self.name)) == refused
        assert {key for key, value in status.items() if value == "skipped"} == skipped
        assert {key for key in status if key not in skipped | refused} >= flexi.keys() - skipped - refused
        assert all(message for _, value, message in rows if value != "processed"), "a failure without a reason"
        written = flexi.keys() & dict(self.stage.links()).keys() - skipped - refused
        successes = {a["record_key"] for a in read_attempts(admin, self.name, limit=10_000) if a["status"] == "success"}
        # A write whose process was killed before it could settle it is found done, and so is not logged.
        assert written - successes <= self.interrupted


@pytest.fixture(scope="module")
def convergence_url(postgres_server: str) -> Iterator[str]:
    with own_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="module", params=[18, 19], ids="Odoo {}".format)
def both(request: pytest.FixtureRequest, convergence_url: str) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("FLEXI_PASSWORD", "sync")
        environment.setenv("ODOO_API_KEY", "key-of-odoo")
        with stage(request.param, convergence_url, sync_settings()) as opened:
            yield opened


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch, convergence_url: str) -> None:
    monkeypatch.setenv("SYNC_POSTGRES_URL", convergence_url)
    monkeypatch.setenv("FLEXI_PASSWORD", "sync")
    monkeypatch.setenv("ODOO_API_KEY", "key-of-odoo")


def test_odoo_ends_up_with_what_flexi_holds(both: Stage) -> None:
    profile = settings.default
    assert profile is not None
    # Whole histories shrink slowly, longer than a test may run; HYPOTHESIS_PROFILE=thorough gives them the time.
    phases = [phase for phase in profile.phases if phase is not Phase.shrink or profile.max_examples > MOST_TO_SHRINK]
    effort = settings(
        profile, max_examples=max(profile.max_examples // 4, 1), stateful_step_count=8, phases=phases, print_blob=True
    )
    machine = type("HistoryOnStage", (History,), {"stage": both})
    run_state_machine_as_test(machine, settings=effort)


# Histories that chance takes long to find


@pytest.fixture
def history(both: Stage) -> Iterator[History]:
    """Three partners that are in Odoo, the first with a contact; in the end both systems are compared."""
    told: History = type("HistoryOnStage", (History,), {"stage": both})()
    told.some_partners([{}, {}, {}])
    told.sync()
    yield told
    told.teardown()


def test_a_deleted_contact_is_taken_from_its_partner(history: History) -> None:
    history.do(Deed("delete_contact", 0, {}))
    history.sync()


def test_a_moved_contact_is_taken_from_one_partner_and_given_to_the_other(history: History) -> None:
    history.do(Deed("move_contact", 2, {}))
    history.sync()


def test_a_partner_created_in_a_long_transaction_is_not_passed_over(history: History) -> None:
    history.do(Deed("create_late", 0, {"nazev": "Late"}))
    history.do(Deed("update", 0, {"nazev": "In time"}))
    history.sync()
    history.do(Deed("commit", 0, {}))
    history.sync()


def test_a_partner_deleted_in_a_long_transaction_is_archived(history: History) -> None:
    history.do(Deed("delete_late", 1, {}))
    history.do(Deed("update", 0, {"nazev": "In time"}))
    history.sync()
    history.do(Deed("commit", 0, {}))
    history.sync()


def test_a_refused_partner_that_was_corrected_passes_by_one_retry(history: History) -> None:
    history.do(Deed("update", 0, {"email": "nobody"}))
    history.sync()
    assert failing_keys(history.stage.admin, history.name) == ["1"]
    history.do(Deed("update", 0, {"email": "a@example.com"}))
    result = retry_failed(history.stage.admin, history.settings, history.stage.connections, ["1"], "retry", Quiet())
    assert (result.counts["processed"], result.counts["failed"]) == (1, 0)
    history.check_that_odoo_holds_what_flexi_holds()


def requests_of(history: History, deed: Deed) -> int:
    """How many requests it takes to bring a deed like this one to Odoo."""
    sent = 0

    def heard(system: str) -> None:
        nonlocal sent
        sent += 1

    history.do(deed)
    with connect(history.stage.database_url) as conn:
        history.stage.watch(heard)
        history.only_sync(conn, 3)
        history.stage.watch(lambda system: None)
    return sent


@pytest.mark.parametrize("what", ["kill", "deed", "rival"])
def test_whatever_happens_before_whichever_request_of_a_pass_it_converges(history: History, what: str) -> None:
    """Also news that a rival lands while its row is being written."""
    requests = requests_of(history, Deed("update", 0, {"mesto": "before"}))
    for number in range(1, requests + 2):
        history.do(Deed("update", 0, {"mesto": f"Brno {number}"}))
        history.do(Deed("create", 0, {"nazev": f"Nová {number}"}))
        meanwhile = Deed("update", 0, {"mesto": f"Praha {number}"})
        history.sync({number: Disturbance(what, meanwhile)})
        history.calm_down()
        history.check_that_odoo_holds_what_flexi_holds()


@pytest.mark.parametrize("system", ["flexi", "odoo"])
@pytest.mark.parametrize("kind", ["reset", "reset_after", "truncate", "html"])
def test_a_fault_that_outlasts_all_tries_of_any_request_is_survived(
    history: History, system: System, kind: FaultKind
) -> None:
    tries = 4
    for skip in range(8):
        history.do(Deed("update", 0, {"mesto": f"Brno {skip}"}))
        history.do(Deed("create", 0, {"nazev": f"Nová {skip}"}))
        history.stage.break_requests(system, FaultRule(kind=kind, skip=skip, times=tries))
        history.sync()
        history.calm_down()
        history.check_that_odoo_holds_what_flexi_holds()
    # A passing fault is nobody's wrong setting.
    assert history.ends
    assert [error for error in history.ends if not isinstance(error, UnavailableError)] == []


def test_a_restored_flexi_is_refused_and_healed_by_a_full_read(history: History) -> None:
    version = history.stage.company.global_version
    for number in range(4):
        history.do(Deed("create", 0, {"nazev": f"Soon forgotten {number}"}))
    history.sync()
    history.stage.flexi_world.restore("demo", version)
    source = OpenSource.of(history.settings, history.stage.flexi).source
    with pytest.raises(FeedResetError, match="restored from a backup"):
        plan_next_run(history.stage.admin, history.settings, source)
    order_full_read(history.stage.admin, history.name)
    history.sync()
