"""The attributes of a source whose records other systems push, and the agreement with them that these say."""

from typing import Annotated, Any, Literal

from pydantic import Field

from sync_orchestration.components.source_settings import Settings, TimedSourceSettings
from sync_orchestration.intake.contract import FieldContract, RelatedModel, SyncContract
from sync_orchestration.interface.rows import Operation
from sync_orchestration.mapping.compile import Mapping
from sync_orchestration.mapping.conditions import Condition

Scalar = str | int | float | bool


class RelatedModelSettings(Settings):
    """A record of the target that must exist."""

    model: str = Field(description="The target's model, e.g. res.country.")
    field: str = Field(description="The field of that model which holds the value, e.g. code.")


class IntakeFieldSettings(Settings):
    """One field of what is pushed, checked before it is accepted."""

    type: Literal["text", "integer", "number", "boolean", "date", "datetime", "list", "object"] = Field(
        "text", description="What kind of value it is; date is YYYY-MM-DD, datetime ISO 8601."
    )
    description: str = Field("", description="What it means; stands in the documentation for senders.")
    required: bool = Field(default=False, description="True: a record without it is refused.")
    max_length: int | None = Field(None, ge=1, description="Largest number of characters of a text.")
    format: Literal["email"] | None = Field(None, description="email: an e-mail address.")
    matches: str | None = Field(None, description="Regular expression, searched in the text.")
    one_of: tuple[Scalar, ...] = Field((), description="The values allowed; empty: any.")
    reference: RelatedModelSettings | None = Field(None, description="The value names a record that must exist.")
    same_sync: bool = Field(
        default=False, description="The value is the key of another record of this sync, which may come later."
    )
    example: Annotated[Any, Field(description="A good value, for the documentation.")] = None


class IntakeSourceSettings(TimedSourceSettings):
    """Records that other systems push to the intake; they stand in the interface table when they are accepted."""

    kind: Literal["intake"] = Field(description="Which kind of source this is.")
    entity: str = Field("record", pattern=r"^\w+$", description="What kind of records these are, e.g. partner.")
    fields: dict[str, IntakeFieldSettings] = Field(description="The fields of a record, by name.")
    unknown_fields: Literal["refuse", "keep"] = Field("refuse", description="What to do with fields not listed here.")
    operations: tuple[Operation, ...] = Field(("create", "update", "delete"), description="What senders may ask for.")
    key_description: str = Field(
        "Your own key of the record: it never changes, and no other record has it.", description="What the key is."
    )
    key_example: str = Field("1001", description="A key, for the documentation.")

    @property
    def connection(self) -> str:
        return "interface"

    @property
    def pushed(self) -> bool:
        return True

    @property
    def asset_key(self) -> list[str]:
        return (self.asset or f"intake/{self.entity}s").split("/")

    def contract(
        self, sync: str, mapping: Mapping | None = None, condition: Condition | None = None, **more: Any
    ) -> SyncContract:
        """Return what is agreed with the senders of a sync. Raises IntakeConfigurationError, a ValueError."""
        fields = tuple(
            FieldContract(
                name=name,
                **one.model_dump(exclude={"reference"}),
                reference=RelatedModel(one.reference.model, one.reference.field) if one.reference else None,
            )
            for name, one in self.fields.items()
        )
        return SyncContract(
            name=sync,
            entity=self.entity,
            fields=fields,
            unknown_fields=self.unknown_fields,
            operations=self.operations,
            key_description=self.key_description,
            key_example=self.key_example,
            mapping=mapping,
            condition=condition,
            **more,
        )
