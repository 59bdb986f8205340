"""What Odoo says of the fields of a model, and of those that paths lead to through relations."""

from collections.abc import Iterable

from sync_orchestration.interface.fields_seen import Shape
from sync_orchestration.systems.odoo.client import OdooClient


def described(client: OdooClient, model: str, paths: Iterable[str] = ()) -> dict[str, Shape]:
    """Return the shape of every field of `model`, and of each path that is there; one request a model.

    Raises ConfigurationError for a model that is not there, or not for this user.
    """
    found = {name: _shape(field) for name, field in client.fields(model).items()}
    for path in paths:
        # A number in a path chooses one of several related records.
        steps = [step for step in path.split(".") if not step.isdecimal()]
        place = model
        for step in steps:
            field = client.fields(place).get(step) if place else None
            if field is None:
                break
            shape, place = _shape(field), str(field.get("relation") or "")
        else:
            found[path] = shape
    return found


def _shape(field: dict[str, object]) -> Shape:
    return Shape(str(field["type"]), required=bool(field.get("required")), readonly=bool(field.get("readonly")))
