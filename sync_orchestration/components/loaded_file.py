"""The YAML that a sync was loaded from, and whether it still says what it said then."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A file as it was when it was loaded."""

    path: Path
    digest: bytes

    @classmethod
    def now(cls, path: Path) -> "LoadedFile":
        """Return the file as it is now. Raises FileNotFoundError."""
        return cls(path, sha256(path.read_bytes()).digest())

    @property
    def has_changed(self) -> bool:
        """Whether the file says something else by now, or is gone."""
        return not self.path.exists() or LoadedFile.now(self.path) != self
