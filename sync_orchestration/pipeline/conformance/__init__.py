"""Does a Source, Target or Lookup keep what the pipeline builds on? For the author of one, against a system to try on.

Each check returns what is wrong, one plain sentence each, and nothing where all is well. The system must be at rest
meanwhile. It is tried with a few records, so whatever is slow or large stays to be measured.
"""

from sync_orchestration.pipeline.conformance.lookups import check_lookup
from sync_orchestration.pipeline.conformance.sources import check_source
from sync_orchestration.pipeline.conformance.targets import check_target

__all__ = ["check_lookup", "check_source", "check_target"]
