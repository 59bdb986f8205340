"""The fixtures of `places`, for every test of this folder."""

from sync_orchestration_tests.components.places import boards, defs_folder, new_place, own_project, place, synced

__all__ = ["boards", "defs_folder", "new_place", "own_project", "place", "synced"]
