"""The audit of dependencies never passes for want of answers."""

from typing import Any

import pytest

from sync_orchestration_tests.audit import verdict

GOOD = {"name": "rich", "version": "15.0.0", "vulns": []}
BAD = {"name": "old", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "own", "skip_reason": "Dependency not found on PyPI and could not be audited: own (1.0)"}


@pytest.mark.parametrize(
    ("found", "passes", "said"),
    [
        ([GOOD], True, "none of 1 packages is known to be vulnerable"),
        ([GOOD, BAD], False, "old 1.0 is vulnerable: PYSEC-1 (1.1)"),
        ([GOOD, UNKNOWN], False, "1 of 2 packages could not be looked up (own)"),
        ([], False, "Nothing was looked up."),
    ],
)
def test_the_audit_passes_only_when_all_was_looked_up_and_nothing_found(
    found: list[dict[str, Any]], passes: bool, said: str
) -> None:
    assert verdict(found)[0] is passes
    assert verdict(found)[1][0].startswith(said)


@pytest.mark.parametrize(("found", "passes"), [([GOOD, UNKNOWN], True), ([BAD, UNKNOWN], False), ([], False)])
def test_ci_passes_over_what_its_index_cannot_tell_and_over_nothing_else(
    found: list[dict[str, Any]], passes: bool
) -> None:
    assert verdict(found, pass_unknown=True)[0] is passes
    assert any("could not be looked up" in line for line in verdict(found, pass_unknown=True)[1]) is bool(found)
