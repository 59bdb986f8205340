"""One working and one failing example of each call, made from the contracts."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sync_orchestration.intake.contract import FieldContract, FieldType, SyncContract
from sync_orchestration.intake.kinds import NO_ACCESS, REFUSED, UNKNOWN_RECORD

NO_SUCH_SYNC = "no_such_sync"
NO_SUCH_KEY = "no-such-key"

_GOOD: dict[FieldType, Any] = {
    "text": "Example",
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "date": "2026-11-28",
    "datetime": "2026-11-28T14:30:00Z",
    "list": ["one"],
    "object": {"name": "one"},
}


@dataclass(frozen=True, slots=True)
class Example:
    """A call as it may be sent. `status` is the HTTP status of its answer, `rpc_error` the code of a JSON-RPC error."""

    name: str
    call: str
    method: str
    path: str
    body: Any
    status: int
    rpc_error: int | None = None
    token: bool = True


def good_data(contract: SyncContract) -> dict[str, Any]:
    """Return data that passes the contract."""
    return {one.name: _good_value(one) for one in contract.fields if one.example is not None or not one.same_sync}


def _good_value(contract: FieldContract) -> Any:
    if contract.example is not None:
        return contract.example
    if contract.one_of:
        return contract.one_of[0]
    if contract.format == "email":
        return "someone@example.com"
    value = _GOOD[contract.type]
    return value[: contract.max_length] if isinstance(value, str) and contract.max_length else value


def bad_data(contract: SyncContract) -> Any:
    """Return data that is refused: the first field of a wrong type, a required field left out."""
    if not contract.fields:
        return None
    data = good_data(contract)
    first = contract.fields[0]
    data[first.name] = "not an object" if first.type == "object" else {"not": f"of type {first.type}"}
    for one in contract.fields[1:]:
        if one.required:
            data.pop(one.name, None)
            break
    return data


def good_record(contract: SyncContract) -> dict[str, Any]:
    """Return a record that is accepted."""
    operation = "update" if "update" in contract.operations else contract.operations[0]
    return {"key": contract.key_example, "operation": operation, "data": good_data(contract)}


def bad_record(contract: SyncContract) -> dict[str, Any]:
    """Return a record that is refused with its errors."""
    operation = "update" if "update" in contract.operations else contract.operations[0]
    record = {"key": contract.key_example, "operation": operation, "data": bad_data(contract)}
    return {**record, "version": -1} if operation == "delete" else record


def rpc_call(method: str, **params: Any) -> dict[str, Any]:
    """Return a JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def examples_of(contract: SyncContract) -> Iterator[Example]:
    """Yield the examples of a sync in an order in which each can be sent after the ones before."""
    sync, key = contract.name, contract.key_example
    good, bad = [good_record(contract)], [bad_record(contract)]
    place = f"/v1/{sync}/records"
    unknown = f"/v1/{NO_SUCH_SYNC}/schema"
    yield Example("Push records", "POST records", "POST", place, {"records": good}, 200)
    yield Example("Push a bad record", "POST records", "POST", place, {"records": bad}, REFUSED.http)
    yield Example("What became of a record", "GET record", "GET", f"{place}/{quote(key, safe='')}", None, 200)
    yield Example("An unknown record", "GET record", "GET", f"{place}/{NO_SUCH_KEY}", None, UNKNOWN_RECORD.http)
    yield Example("What a record must be", "GET schema", "GET", f"/v1/{sync}/schema", None, 200)
    yield Example("A sync that is not yours", "GET schema", "GET", unknown, None, NO_ACCESS.http)
    yield _rpc("records.push", "works", 200, None, sync=sync, records=good)
    yield _rpc("records.push", "a bad record, all or nothing", 200, REFUSED.rpc, sync=sync, records=bad, atomic=True)
    yield _rpc("records.status", "works", 200, None, sync=sync, keys=[key, NO_SUCH_KEY])
    yield _rpc("records.status", "an unknown record", 200, UNKNOWN_RECORD.rpc, sync=sync, key=NO_SUCH_KEY)
    yield _rpc("records.schema", "works", 200, None, sync=sync)
    yield _rpc("records.schema", "not your sync", NO_ACCESS.http, NO_ACCESS.rpc, sync=NO_SUCH_SYNC)


def _rpc(method: str, name: str, status: int, error: int | None, **params: Any) -> Example:
    return Example(f"{method}: {name}", method, "POST", "/rpc", rpc_call(method, **params), status, error)
