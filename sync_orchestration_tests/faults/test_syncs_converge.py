"""Whatever people change, whatever breaks and whoever is killed: in the end every sync has lost and doubled nothing.

For each sync that is shipped, random histories against the stand-ins over HTTP; see `history`.
HYPOTHESIS_PROFILE=thorough tells 2,000 of each, FAULT_EXAMPLES=200 as many as it says; -rP shows what they came to.
"""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from sync_orchestration_tests.databases import own_database
from sync_orchestration_tests.faults.history import NO_SLEEP, Day, Disturbance, History, Told
from sync_orchestration_tests.faults.stages import Stages, open_stages
from sync_orchestration_tests.faults.worlds import WORLDS, Deed

FEW, USUAL, LEAST_TO_SHRINK = 5, 50, 2_000  # examples


@pytest.fixture(scope="module")
def stages(postgres_server: str) -> Iterator[Stages]:
    with own_database(postgres_server) as url, open_stages(url) as opened:
        opened.environment.setattr("tenacity.nap.time", NO_SLEEP)
        yield opened


@pytest.fixture(autouse=True)
def own_variables(stages: Stages, no_settings_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stages outlive a test, whose variables do not."""
    monkeypatch.setenv("SYNC_POSTGRES_URL", stages.database_url)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("sync", WORLDS)
def test_nothing_is_lost_and_nothing_doubled_by(stages: Stages, sync: str) -> None:
    profile = settings.default
    assert profile is not None
    examples = int(os.environ.get("FAULT_EXAMPLES", "0")) or profile.max_examples
    thorough = examples > USUAL
    # Whole histories shrink slowly; HYPOTHESIS_PROFILE=thorough gives them the time.
    phases = [phase for phase in profile.phases if phase is not Phase.shrink or examples >= LEAST_TO_SHRINK]
    effort = settings(
        profile,
        max_examples=examples if thorough else FEW,
        stateful_step_count=6 if thorough else 4,
        phases=phases,
        print_blob=True,
    )
    tally: Counter[str] = Counter()
    machine = type(f"HistoryOf_{sync}", (History,), {"stages": stages, "sync": sync, "tally": tally})
    run_state_machine_as_test(machine, settings=effort)
    table = "".join(f"{times:>9,} {what}\n" for what, times in sorted(tally.items()))
    sys.stdout.write(f"{sync}: lost 0, doubled 0\n{table}")


def test_a_company_wiped_by_hand_comes_back_and_its_branch_with_it(stages: Stages) -> None:
    """Found by chance: the branch was refused for a company that the same batch made anew, and stayed so."""
    told = Told.begin(stages, "intake_partners", 18, 1)
    for deeds in ([Deed("create", 0, 0)],) * 3 + (
        [Deed("create", 0, 0), Deed("create", 0, 0), Deed("child", 0, 0), Deed("wipe", 15, 0)],
    ):
        told.day(Day(deeds, [], "sync", 0, {}))
    told.judge()


@pytest.mark.timeout(0)
@pytest.mark.parametrize("what", ["kill", "rival"])
@pytest.mark.parametrize("sync", WORLDS)
def test_whatever_happens_before_whichever_request_of_a_run_it_converges(stages: Stages, sync: str, what: str) -> None:
    """Also news of a record that a rival lands while that record is being written."""
    told = Told.begin(stages, sync, 18 if what == "kill" else 19, 2)
    told.calm_down()
    change, make = told.world.usual
    for number in count(1):
        told.world.do(Deed(change, 0, 2 * number))
        if number % 3 == 1:
            told.world.do(Deed(make, 0, number))
        told.prepare()
        meanwhile = Disturbance(what, Deed(change, 0, 2 * number + 1))
        with told.session({number: meanwhile}) as disturber:
            told.process(disturber.conn).run("sync", number)
        told.calm_down()
        told.assert_right(untold=False, touched=False)
        if disturber.requests < number:
            break
    # A rival that comes in time leaves less to do, so its run may end sooner.
    assert number > (4 if what == "kill" else 1), "a run takes more than a few requests"
