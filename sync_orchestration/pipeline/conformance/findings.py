"""What a check has found wrong so far, and what is asked of sources and targets alike."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.pipeline.schema import Described


@dataclass(slots=True)
class Findings:
    """What was found wrong."""

    sentences: list[str] = field(default_factory=list)

    def expect(self, holds: object, sentence: str) -> bool:
        if not holds and sentence not in self.sentences:
            self.sentences.append(sentence)
        return bool(holds)

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Ask in a block; whatever it raises is wrong too, and ends that block only."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - that it fails at all is what is to be told
            self.sentences.append(f"{what} failed: {type(error).__name__}: {str(error).rstrip('.')}.")


def check_description(found: Findings, system: object) -> None:
    """Check what a system says of its fields, if it does."""
    if isinstance(system, Described):
        shapes = system.describe()
        found.expect(all(isinstance(shape, Shape) for shape in shapes.values()), "describe gives other than Shapes.")
