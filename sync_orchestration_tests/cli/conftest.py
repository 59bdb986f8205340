"""The fixtures of a whole project on the stand-ins, for the tests of commands."""

from sync_orchestration_tests.components.places import boards, new_place, own_project, place, synced

__all__ = ["boards", "new_place", "own_project", "place", "synced"]
