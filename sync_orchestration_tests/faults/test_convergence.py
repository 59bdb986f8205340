"""Whatever people change, whatever breaks and whoever is killed: when it is over, Odoo holds what Flexi holds.

Random histories against the stand-in servers over HTTP. A history changes Flexi (also in transactions that commit
late, and by restoring a backup), breaks requests in both systems, kills passes at any request, lets a rival pass run in
the middle of another, reads windows again, retries and syncs chosen records. Then the faults stop, the sync is brought
up to date, and both systems are compared record by record.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import yaml
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from sync_orchestration.components.chosen import retry_failed, sync_chosen
from sync_orchestration.components.planning import Plan, plan_next_run
from sync_orchestration.components.running import OpenSource, OpenTarget
from sync_orchestration.components.settings import SyncSettings
from sync_orchestration.interface.attempts import read_attempts
from sync_orchestration.interface.database import connect, migrate
from sync_orchestration.interface.rows import Scope, counts_by_status, failing_keys
from sync_orchestration.interface.state import read_state
from sync_orchestration.pipeline.errors import FeedResetError, SyncError
from sync_orchestration.pipeline.land import order_full_read
from sync_orchestration.pipeline.passes import running_pass
from sync_orchestration.pipeline.windows import window_of_key
from sync_orchestration.sandbox.faults import FaultKind, FaultRule
from sync_orchestration.sandbox.flexi.company import OpenTransaction
from sync_orchestration_tests.faults import expected
from sync_orchestration_tests.faults.world import HAND_MADE_REGISTRY, Stage, System, stage

MOST_PASSES = 40
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
COUNTRY_AND_VAT = st.sampled_from(
    [("", ""), ("code:CZ", ""), ("code:SK", ""), ("code:CZ", "CZ12345679"), ("code:CZ", expected.REFUSED_VAT), ("code:XX", "")]
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
FIELDS = st.one_of(GOOD_FIELDS, GOOD_FIELDS, GOOD_FIELDS, BAD_FIELDS)
NUMBER = st.integers(0, 7)
SYSTEMS: st.SearchStrategy[System] = st.sampled_from(["flexi", "odoo"])
KINDS: st.SearchStrategy[FaultKind] = st.sampled_from(["status", "reset", "reset_after", "truncate", "html"])


@dataclass(frozen=True)
class Disturbance:
    """What happens just before one request of a pass: a kill, a rival's whole pass, or a change in Flexi."""

    kind: str
    number: int
    values: dict[str, str]


DISTURBANCES = st.dictionaries(
    st.integers(1, 26),
    st.builds(Disturbance, st.sampled_from(["kill", "rival", "update", "delete", "contact", "commit"]), NUMBER, FIELDS),
    max_size=3,
)


class History(RuleBasedStateMachine):
    """People, faults and passes, in any order."""

    stage: Stage

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[int, OpenTransaction] = {}
        self.interrupted: set[str] = set()
        self.claimed: set[str] = set()
        self.codes = 0

    @initialize(count=st.integers(0, 5))
    def some_partners(self, count: int) -> None:
        self.stage.begin()
        for _ in range(count):
            self.create({})

    # People in Flexi

    @rule(values=FIELDS, country=COUNTRY_AND_VAT)
    def create_one(self, values: dict[str, str], country: tuple[str, str]) -> None:
        self.create({**values, "stat": country[0], "dic": country[1]})

    def create(self, values: dict[str, str]) -> None:
        self.codes += 1
        fields = {"kod": f"K{self.codes}", "nazev": f"Firma {self.codes}", **values}
        self.stage.company.create("adresar", fields, unchecked=True)

    @rule(number=NUMBER, values=FIELDS)
    def update(self, number: int, values: dict[str, str]) -> None:
        with suppress(IndexError):
            self.stage.company.update("adresar", self.free(number), values, unchecked=True)

    @rule(number=NUMBER, country=COUNTRY_AND_VAT)
    def move(self, number: int, country: tuple[str, str]) -> None:
        with suppress(IndexError):
            values = {"stat": country[0], "dic": country[1]}
            self.stage.company.update("adresar", self.free(number), values, unchecked=True)

    @rule(number=NUMBER)
    def delete(self, number: int) -> None:
        with suppress(IndexError):
            self.stage.company.delete("adresar", self.free(number))

    @rule(number=NUMBER, name=st.sampled_from(["Novák", "Dvořáková"]))
    def add_contact(self, number: int, name: str) -> None:
        with suppress(IndexError):
            self.stage.company.create("kontakt", {"prijmeni": name, "firma": str(self.free(number))})

    @rule(number=NUMBER, name=st.sampled_from(["Svobodová", "Černý"]))
    def rename_contact(self, number: int, name: str) -> None:
        with suppress(IndexError):
            self.stage.company.update("kontakt", self.contact(number), {"prijmeni": name})

    @rule(number=NUMBER, to=NUMBER)
    def move_contact(self, number: int, to: int) -> None:
        with suppress(IndexError):
            self.stage.company.update("kontakt", self.contact(number), {"firma": str(self.free(to))})

    @rule(number=NUMBER)
    def delete_contact(self, number: int) -> None:
        with suppress(IndexError):
            self.stage.company.delete("kontakt", self.contact(number))

    @rule(documents=st.integers(1, 90))
    def issue_documents(self, documents: int) -> None:
        """Versions pass that are none of the sync's business."""
        self.stage.company.noise_changes(documents)
        self.commit_old()

    @rule(number=NUMBER, values=FIELDS, what=st.sampled_from(["create", "update", "update", "delete"]))
    def open_transaction(self, number: int, values: dict[str, str], what: str) -> None:
        """Somebody works for long: the version is taken now, the effect shows at the commit."""
        transaction = self.stage.company.open_transaction()
        if what == "create":
            self.codes += 1
            checked = {**values, "kod": f"K{self.codes}", "nazev": values.get("nazev", "").strip() or "Late"}
            locked = transaction.create("adresar", checked)
        else:
            try:
                locked = self.free(number)
            except IndexError:
                return
            if what == "delete":
                transaction.delete("adresar", locked)
            else:
                good = {name: value for name, value in values.items() if name != "nazev"}
                transaction.update("adresar", locked, good)
        self.open[locked] = transaction

    @rule(number=NUMBER)
    def commit(self, number: int) -> None:
        if self.open:
            self.open.pop(sorted(self.open)[number % len(self.open)]).commit()

    @rule(back=st.integers(1, 12))
    def restore_a_backup(self, back: int) -> None:
        """After which a person orders a full read, as the documentation says."""
        self.open.clear()
        version = max(self.stage.company.global_version - back, 0)
        if len(self.stage.company.ids("adresar")) < 3:
            return
        self.stage.flexi_world.restore("demo", version)
        for code in ("CZ", "SK", "XX"):
            if self.stage.company.find("stat", f"code:{code}") is None:
                self.stage.company.create("stat", {"kod": code, "nazev": code})
        order_full_read(self.stage.admin, self.name)

    def free(self, number: int) -> int:
        """A record that no open transaction holds. Raises IndexError when there is none."""
        ids = [one for one in self.stage.company.ids("adresar") if one not in self.open]
        return ids[number % len(ids)] if ids else [][number]

    def contact(self, number: int) -> int:
        """A contact whose company no open transaction holds. Raises IndexError when there is none."""
        company = self.stage.company
        ids = [
            one for one in company.ids("kontakt") if int((company.record("kontakt", one) or {})["firma"]) not in self.open
        ]
        return ids[number % len(ids)] if ids else [][number]

    def commit_old(self) -> None:
        newest = self.stage.company.log.last_assigned
        for key in [k for k, tx in self.open.items() if newest - min(tx._versions) > OLDEST_TRANSACTION]:
            self.open.pop(key).commit()

    # Things break

    @rule(
        system=SYSTEMS,
        kind=KINDS,
        status=st.sampled_from([500, 502, 503, 429]),
        wait=st.sampled_from([None, "0", "1"]),
        times=st.integers(1, 6),
        skip=st.integers(0, 9),
    )
    def break_requests(
        self, system: System, kind: FaultKind, status: int, wait: str | None, times: int, skip: int
    ) -> None:
        headers = {} if wait is None else {"Retry-After": wait}
        self.stage.break_requests(
            system, FaultRule(kind=kind, status=status, headers=headers, times=times, skip=skip)
        )

    @rule()
    def mend(self) -> None:
        self.stage.mend()

    # The sync

    @rule(disturbances=DISTURBANCES, claim_batch=st.integers(1, 4))
    def sync(self, disturbances: dict[int, Disturbance], claim_batch: int) -> None:
        with self.session(disturbances) as conn:
            plan = self.plan(conn)
            if plan.windows:
                self.read(conn, plan)
                self.write(conn, plan, claim_batch)

    @rule(disturbances=DISTURBANCES)
    def only_read(self, disturbances: dict[int, Disturbance]) -> None:
        with self.session(disturbances) as conn:
            plan = self.plan(conn)
            if plan.windows:
                self.read(conn, plan)

    @rule(disturbances=DISTURBANCES, claim_batch=st.integers(1, 4))
    def only_write(self, disturbances: dict[int, Disturbance], claim_batch: int) -> None:
        with self.session(disturbances) as conn, running_pass(conn, self.name, self.settings.retry_policy, "c"):
            self.writer(conn, claim_batch)(Scope())

    @rule(disturbances=DISTURBANCES, start=st.integers(0, 2))
    def read_a_window_again(self, disturbances: dict[int, Disturbance], start: int) -> None:
        with self.session(disturbances) as conn:
            window = window_of_key(f"{start * 100:012d}", 100)
            cursor = read_state(conn, self.name).last_position
            if cursor is None or window.end > cursor:
                return
            with running_pass(conn, self.name, self.settings.retry_policy, "c"):
                source = OpenSource.of(self.settings, self.stage.flexi)
                source.reader(conn, "again", Quiet()).read_again(window)

    @rule(disturbances=DISTURBANCES)
    def retry(self, disturbances: dict[int, Disturbance]) -> None:
        with self.session(disturbances) as conn:
            retry_failed(conn, self.settings, self.stage.connections, None, "retry", Quiet())

    @rule(disturbances=DISTURBANCES, number=NUMBER)
    def sync_a_chosen_record(self, disturbances: dict[int, Disturbance], number: int) -> None:
        ids = self.stage.company.ids("adresar")
        with self.session(disturbances) as conn:
            key = str(ids[number % len(ids)]) if ids else "404"
            sync_chosen(conn, self.settings, self.stage.connections, [key], "chosen", Quiet())

    @rule()
    def order_a_full_read(self) -> None:
        order_full_read(self.stage.admin, self.name)

    @rule()
    def time_passes(self) -> None:
        """Every wait that the tables know of is over."""
        self.stage.admin.execute("UPDATE sync.sync_state SET next_try = now() WHERE next_try IS NOT NULL")
        self.stage.admin.execute("UPDATE sync.interface_row SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")

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

            def heard(system: System) -> None:
                nonlocal requests, running
                if not running:
                    return  # a rival's requests
                requests += 1
                if system == "odoo":
                    self.claimed |= self.being_written()
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
                note(f"ended by: {error}")
            except psycopg.OperationalError as error:
                # What a killed process fails at last is the session that it has no more.
                self.interrupted |= self.claimed
                assert conn.closed, error
            finally:
                self.stage.watch(lambda system: None)

    def being_written(self) -> set[str]:
        found = self.stage.admin.execute("SELECT record_key FROM sync.interface_row WHERE status = 'processing'")
        return {key for (key,) in found}

    def disturb(self, disturbance: Disturbance, conn: Conn) -> None:
        number = disturbance.number
        if disturbance.kind == "kill":
            self.stage.admin.execute("SELECT pg_terminate_backend(%s, 10000)", [conn.info.backend_pid])
            raise KilledError
        if disturbance.kind == "rival":
            self.rival(number)
        elif disturbance.kind == "update":
            self.update(number, disturbance.values)
        elif disturbance.kind == "delete":
            self.delete(number)
        elif disturbance.kind == "contact":
            self.add_contact(number, "Meanwhile")
        else:
            self.commit(number)

    def rival(self, number: int) -> None:
        """Another process runs a whole pass now. It gives up what the first one has locked, for that one stands still."""
        with connect(self.stage.database_url) as conn, suppress(SyncError, psycopg.errors.LockNotAvailable):
            conn.execute("SET lock_timeout = '20ms'")
            plan = self.plan(conn)
            if plan.windows:
                self.read(conn, plan)
                self.write(conn, plan, 1 + number % 4)

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
        good = [key for key, record in flexi.items() if not expected.is_skipped(record) and not expected.is_refused(record)]
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
def convergence_url(postgres_server: str) -> str:
    name = f"c_{uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = postgres_server.replace("/postgres?", f"/{name}?")
    migrate(url)
    return url


@pytest.mark.parametrize("version", [18, 19], ids="Odoo {}".format)
def test_odoo_ends_up_with_what_flexi_holds(
    convergence_url: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEXI_PASSWORD", "sync")
    monkeypatch.setenv("ODOO_API_KEY", "key-of-odoo")
    profile = settings.default
    assert profile is not None
    with stage(version, convergence_url, sync_settings()) as both:
        machine = type("HistoryOnStage", (History,), {"stage": both})
        effort = settings(profile, max_examples=max(profile.max_examples // 3, 1), stateful_step_count=14)
        run_state_machine_as_test(machine, settings=effort)
