"""The figures that the intake's /metrics tells Prometheus."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from prometheus_client.registry import Collector

from sync_orchestration.intake import metrics
from sync_orchestration_tests.guide.markdown import code, table, text

_OF_SYNCS = "sync_orchestration.intake.sync_metrics"
_HEAD = """# Metrics

`/metrics` of the intake tells these in the format of Prometheus, without a token: let a proxy pass it only to those who
look after the service.
"""


def metrics_page() -> str:
    """Return the page."""
    rows = [[code(name), code(kind), text(said)] for name, kind, said in _families()]
    return "\n".join([_HEAD, table(["figure", "kind", "what it tells"], rows)])


def _families() -> Iterator[tuple[str, str, str]]:
    told = metrics.Metrics(dict).text().decode().splitlines()
    helps = dict(line.removeprefix("# HELP ").split(" ", 1) for line in told if line.startswith("# HELP "))
    kinds = dict(line.removeprefix("# TYPE ").split(" ", 1) for line in told if line.startswith("# TYPE "))
    for name, said in helps.items():
        if not name.endswith("_created"):
            yield name, kinds[name], said
    if find_spec(_OF_SYNCS):
        yield from _of_syncs(import_module(_OF_SYNCS).SyncMetrics)


def _of_syncs(collector: type[Collector]) -> Iterator[tuple[str, str, str]]:
    # What it would tell is known before anything is asked.
    for family in collector.__new__(collector).describe():  # type: ignore[attr-defined]
        ending = "_total" if family.type == "counter" else ""
        yield family.name + ending, family.type, family.documentation
