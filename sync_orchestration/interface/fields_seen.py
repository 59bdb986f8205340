"""The fields of outside systems as they were seen last, by sync and side."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.rows import scalar_row

from sync_orchestration.interface.queries import query
from sync_orchestration.interface.rows import Payload

_FIELD_LOCKS = 0x4653  # the class of the advisory locks under which the fields of one side are replaced


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of one field: its type in the words of its system, '' where no value was seen.

    `share` of `records` landed records had a value; None where the system itself describes its fields.
    """

    kind: str
    required: bool = False
    readonly: bool = False
    share: float | None = None
    records: int = 0

    @property
    def told(self) -> str:
        """The shape as people read it."""
        marks = [
            self.kind or "empty",
            *(["required"] if self.required else []),
            *(["read-only"] if self.readonly else []),
        ]
        if self.share is not None:
            marks.append(f"in {self.share:.0%} of {self.records} records")
        return ", ".join(marks)


@dataclass(frozen=True, slots=True)
class SeenFields:
    """The fields of one side of a sync, under which configuration and when they were seen; None: never."""

    shapes: Mapping[str, Shape]
    config_hash: str | None = None
    seen_at: datetime | None = None


def seen_fields(conn: Connection[Any], sync: str, side: str) -> SeenFields:
    """Return what was remembered of the fields of one side."""
    rows = conn.execute(query("seen_fields"), {"sync": sync, "side": side}).fetchall()
    shapes = {
        field: Shape(kind, required, readonly, share, records)
        for field, kind, required, readonly, share, records, *_ in rows
    }
    return SeenFields(shapes, rows[0][6], rows[0][7]) if rows else SeenFields({})


def remember_fields(conn: Connection[Any], sync: str, side: str, shapes: Mapping[str, Shape], config_hash: str) -> None:
    """Remember the fields of one side instead of those before."""
    owner = {"sync": sync, "side": side}
    with conn.transaction(), conn.cursor() as cur:
        cur.execute(query("lock_fields"), {**owner, "lock_class": _FIELD_LOCKS})
        cur.execute(query("forget_fields"), owner)
        cur.executemany(
            query("remember_field"),
            [
                {
                    **owner,
                    "field": field,
                    "kind": shape.kind,
                    "required": shape.required,
                    "readonly": shape.readonly,
                    "share": shape.share,
                    "records": shape.records,
                    "config_hash": config_hash,
                }
                for field, shape in shapes.items()
            ],
        )


def landed_since(conn: Connection[Any], sync: str, since: datetime | None, limit: int) -> list[Payload]:
    """Return the payloads that were landed last, after `since`."""
    with conn.cursor(row_factory=scalar_row) as cur:
        params = {"sync": sync, "since": since, "limit": limit}
        return list(cur.execute(query("landed_since"), params))
