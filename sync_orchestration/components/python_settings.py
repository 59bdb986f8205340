"""The attributes of ``kind: python``: a source, target or lookup that is a Python class of the user's own."""

from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from pydantic import Field, PrivateAttr, field_validator

from sync_orchestration.components.source_settings import LookupSettings, Settings, SourceSettings
from sync_orchestration.components.target_settings import TargetSettings
from sync_orchestration.components.user_classes import Role, UserClass, user_class
from sync_orchestration.mapping.cron import five_fields
from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.landing import Feed
from sync_orchestration.pipeline.windows import DAY

_FEEDS: tuple[Feed, ...] = ("versions", "times", "sweep")
_OVERLAPS: dict[Feed, int] = {"versions": 1_000, "times": 900, "sweep": 0}


class PythonSettings(Settings):
    """Which class it is, and what it is made with."""

    class_name: str = Field(
        alias="class",
        pattern=r"^[A-Za-z_]\w*\.[A-Za-z_]\w*$",
        description="file.Class: a class in a Python file beside this YAML, or in a folder above it.",
    )
    connection: str = Field(description="Name of the connection, of the kind python.")
    options: dict[str, Any] = Field(default_factory=dict, description="What else the class is made with, by parameter.")

    _found: UserClass | None = PrivateAttr(None)

    _role: ClassVar[Role]

    def find(self, folder: Path, root: Path) -> None:
        """Find the class beside the YAML in `folder`, or above it up to `root`. Raises ConfigurationError."""
        self._found = user_class(self.class_name, self._role, folder, root)

    @property
    def user_class(self) -> UserClass:
        """The class; found when the YAML is loaded."""
        if self._found is None:
            raise ConfigurationError(f"The class {self.class_name} was not looked for: its YAML was not loaded.")
        return self._found


class PythonSourceSettings(PythonSettings, SourceSettings):
    """Records of a system that a class of your own reads."""

    _role: ClassVar[Role] = "source"

    kind: Literal["python"] = Field(description="Which kind of source this is.")
    entity: str = Field("record", description="What the records are, for people, e.g. ticket.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/<entity>s.")
    page: int = Field(100, ge=1, le=5_000, description="Most records that the class is asked to fetch at once.")
    window_size: int = Field(
        10_000, alias="window", ge=100, description="Positions in one partition; where they are times, it is a day."
    )
    overlap_size: int | None = Field(
        None,
        alias="overlap",
        ge=0,
        le=86_400,
        description="Positions behind the cursor that each read lists again, for changes that became visible late. By "
        "default 1000, or 900 seconds.",
    )
    inventory: str | None = Field(
        "7 * * * *", description="Cron of the inventory, of a class that has one, which finds deletes; null: never."
    )

    def find(self, folder: Path, root: Path) -> None:
        super().find(folder, root)
        if self.feed not in _FEEDS:
            raise ConfigurationError(
                f"The feed of {self.user_class} is {self.feed!r}; it must be one of {', '.join(_FEEDS)}."
            )

    @field_validator("inventory")
    @classmethod
    def _is_a_cron(cls, value: str | None) -> str | None:
        return None if value is None else five_fields(value)

    @property
    def feed(self) -> Feed:
        """What the positions are, as the class says with `feed`; versions where it says nothing."""
        said = self.user_class.says("feed", "versions")
        return cast("Feed", said)  # it was looked at when the class was found

    @property
    def window(self) -> int:
        return DAY if self.feed == "times" else self.window_size

    @property
    def overlap(self) -> int:
        return _OVERLAPS[self.feed] if self.overlap_size is None else self.overlap_size

    @property
    def inventory_cron(self) -> str | None:
        return self.inventory if "inventory" in self.user_class.methods else None

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"{self.connection}/{self.entity}s").split("/")


class PythonTargetSettings(PythonSettings, TargetSettings):
    """Records of a system that a class of your own writes."""

    _role: ClassVar[Role] = "target"

    kind: Literal["python"] = Field(description="Which kind of target this is.")
    batch: int = Field(100, ge=1, le=1_000, description="Most records that the class is given at once.")

    @property
    def model(self) -> str:
        """What is written, as the class says."""
        return self.user_class.says("model", self.user_class.name)

    @property
    def claim_batch(self) -> int:
        """No more rows than a killed worker may put in doubt."""
        return self.batch


class PythonLookupSettings(PythonSettings, LookupSettings):
    """What a system that a class of your own asks knows of each record."""

    _role: ClassVar[Role] = "lookup"

    kind: Literal["python"] = Field(description="Which kind of lookup this is.")
    fields: list[str] = Field(default_factory=list, description="Fields of a record that the class asks with.")
    asset: str | None = Field(None, description="Asset key; by default <connection>/answers.")

    @property
    def asks_with(self) -> list[str]:
        return self.fields
