"""One call of a model method: binding, transaction, automation, and what the caller gets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from . import costs
from .access import User
from .database import Env
from .errors import (
    DatabaseError,
    Json,
    NoSuchMethodError,
    NotFoundError,
    OdooError,
    PoolExhaustedError,
    PythonError,
    Row,
    UnprocessableError,
    UserError,
    WrongCallError,
)
from .instance import Instance
from .methods import Method, lookup
from .table import Transaction
from .webhooks import deliver


@dataclass(frozen=True)
class Request:
    """What a caller asks for. In JSON-2 all parameters are named; `ids` are given apart from them."""

    user: User
    model: str
    method: str
    args: Sequence[Json] = ()
    kwargs: Mapping[str, Json] = field(default_factory=dict)
    context: Mapping[str, Json] = field(default_factory=dict)
    ids: Json = ()
    json2: bool = False


@dataclass
class Outcome:
    """The result or the error of a call, what it posts, and how long it takes on a real server.

    Odoo 18 posts its web hooks before the commit, Odoo 19 after it: a call with posts is finished by
    :meth:`deliver` (without any lock held) and :meth:`finish`.
    """

    world: Instance
    tx: Transaction
    result: Json = None
    error: OdooError | None = None
    seconds: float = 0.0
    held_back: bool = False

    @property
    def posts(self) -> list[tuple[str, Row]]:
        # Measured: a failed load announces its rows, a call that ends in an exception only before 19.0.
        return self.tx.hooks if self.error is None or self.world.version < 19 else []

    def deliver(self) -> None:
        """Post the web hooks, one after the other."""
        self.world.webhook_outcomes += deliver(self.posts)

    def finish(self) -> Json:
        """Make held back changes visible; return the result or raise the error."""
        with self.world.lock:
            if self.held_back:
                self.tx.release()
                self.held_back = False
                self.world.committed(self.tx)
        if self.error is not None:
            raise self.error
        return self.result


def perform(world: Instance, request: Request, *, started: datetime | None = None) -> Outcome:
    """Run the call in a transaction of its own; its errors are in the outcome."""
    with world.lock:
        world.calls[f"{request.model}.{request.method}"] += 1
        tx = world.db.begin(started)
        outcome = Outcome(world, tx)
        try:
            outcome.result = _run(world, request, tx)
        except OdooError as error:
            tx.rollback()
            outcome.error = error
            return outcome
        switches = world.switches
        if switches.simulate_costs:
            outcome.seconds = switches.cost_scale * costs.seconds(
                world.version, request.method, request.context, tx, outcome.result, json2=request.json2
            )
        if tx.hooks and world.version < 19:
            tx.hold_back()
            outcome.held_back = True
        else:
            world.committed(tx)
    return outcome


def _run(world: Instance, request: Request, tx: Transaction) -> Json:
    if world.take_armed("pool_errors"):
        raise PoolExhaustedError("The Connection Pool Is Full")
    method = _method(world, request)
    _check_language(world, request.context)
    losing = request.method == "load" and world.take_armed("concurrent_loads")
    env = Env(world.db, request.user, tx, request.context, loses_race=losing)
    arguments = _arguments(method, request)
    try:
        result = method.call(env, request.model, *arguments[0], **arguments[1])
    except DatabaseError as fault:
        raise fault.as_validation_error(world.version) from fault
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise PythonError(error) from error
    return _shaped(world.version, request, result)


def _method(world: Instance, request: Request) -> Method:
    if request.model not in world.db.models:
        if request.json2:
            raise NotFoundError(f"the model {request.model!r} does not exist")
        raise UserError(f"Object {request.model} doesn't exist")
    try:
        return lookup(world.version, request.model, request.method)
    except NoSuchMethodError as error:
        if request.json2:
            raise NotFoundError(error.message) from error
        raise


def _arguments(method: Method, request: Request) -> tuple[Sequence[Json], Mapping[str, Json]]:
    args = request.args
    if request.json2:
        if request.ids and not method.on_records:
            raise UnprocessableError(f"cannot call {request.model}.{request.method} with ids")
        args = (request.ids,) if method.on_records else ()
    try:
        method.signature().bind(*args, **request.kwargs)
    except TypeError as error:
        if request.json2:
            raise UnprocessableError(str(error)) from error
        raise WrongCallError(f"{request.model}.{request.method}() {error}") from error
    return args, request.kwargs


def _check_language(world: Instance, context: Mapping[str, Json]) -> None:
    language = context.get("lang")
    if language and language not in world.switches.languages:
        raise UserError(f"Invalid language code: {language}")


def _shaped(version: int, request: Request, result: Json) -> Json:
    """Return one id instead of a list where the older transport does so."""
    if request.json2:
        return result
    if request.method == "create":
        given = request.args[0] if request.args else request.kwargs.get("vals_list")
        return result[0] if isinstance(given, dict) else result
    return result[0] if request.method == "message_post" and version < 19 else result
