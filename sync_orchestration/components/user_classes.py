"""Finds the Python class that a YAML names in a file beside it, and refuses one that the pipeline could not use."""

import inspect
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_type_hints
from zlib import crc32

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError

from sync_orchestration.pipeline.errors import ConfigurationError
from sync_orchestration.pipeline.lookup import Lookup, Metered
from sync_orchestration.pipeline.protocols import InventorySource, SelectableSource, Source, Target
from sync_orchestration.pipeline.schema import Described

Role = Literal["source", "target", "lookup"]

GIVEN = ("http", "url")
"""What a class may take that no option gives it: a client of its connection, or the bare address of one."""

_NEEDED: Mapping[Role, type] = {"source": Source, "target": Target, "lookup": Lookup}
_RICHER: Mapping[Role, tuple[type, ...]] = {
    "source": (InventorySource, SelectableSource, Described),
    "target": (Described,),
    "lookup": (Metered,),
}


@dataclass(frozen=True, slots=True)
class UserClass:
    """A class of the user's own that fits its role, and the file that it is in."""

    own: type[Any]
    file: Path
    role: Role

    @property
    def name(self) -> str:
        return self.own.__name__

    @property
    def methods(self) -> list[str]:
        """The methods of the role that the class has, the optional ones included."""
        return [name for name in _methods_of(_NEEDED[self.role], *_RICHER[self.role]) if name in self.written]

    @property
    def written(self) -> set[str]:
        """The names that the class gives a meaning: what it only has from a protocol is nobody's work."""
        bases = [one for one in self.own.__mro__ if not getattr(one, "_is_protocol", False)]
        return {name for one in bases for name in (*vars(one), *vars(one).get("__annotations__", {}))}

    def says(self, name: str, otherwise: str) -> str:
        """Return a text that stands in the class itself."""
        found = inspect.getattr_static(self.own, name, None)
        return found if isinstance(found, str) else otherwise

    def arguments(self, options: Mapping[str, Any], secrets: Mapping[str, str]) -> dict[str, Any]:
        """Return what the class is made with, in the types that it asks for.

        Raises ConfigurationError for what it does not take, for what it lacks and for what is of another type.
        """
        taken = _parameters(self.own)
        named = [name for name in taken if name not in GIVEN]
        open_to_all = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        if unknown := [name for name in options if name not in named and not open_to_all]:
            known = ", ".join(named) or "none"
            raise ConfigurationError(f"{self} takes no option {unknown[0]!r}. The options that it takes: {known}.")
        # Source and target share a connection, and need not both take all of its secrets.
        given = {name: secret for name, secret in secrets.items() if name in named or open_to_all}
        if lacking := [name for name in named if _is_needed(taken[name]) and name not in {**options, **given}]:
            raise ConfigurationError(
                f"{self} needs {lacking[0]!r}. Write it under options:, or a secret under secrets: of the connection."
            )
        return {name: self._typed(name, value) for name, value in options.items()} | given

    def takes(self, name: str) -> bool:
        """Tell whether the class takes one of GIVEN."""
        return name in _parameters(self.own)

    def _typed(self, name: str, value: Any) -> Any:
        hint = _hints(self.own).get(name, Any)
        try:
            return TypeAdapter(hint).validate_python(value)
        except PydanticSchemaGenerationError:
            return value  # a type that pydantic does not know is the class's own to check
        except ValidationError as error:
            # The value may be a secret, so it is not repeated.
            said = error.errors(include_input=False)[0]["msg"]
            raise ConfigurationError(f"The option {name!r} of {self} is of another type: {said}.") from None

    def __str__(self) -> str:
        return f"{self.name} in {self.file}"


def user_class(named: str, role: Role, folder: Path, root: Path) -> UserClass:
    """Return the class `file.Class`, which is in `folder` or in a folder above it, up to `root`.

    Raises ConfigurationError, with the file, for one that is not there, cannot be loaded or does not fit its role.
    """
    stem, _, name = named.partition(".")
    file = _file(f"{stem}.py", folder, root)
    module = _loaded(file, file.read_text(encoding="utf-8", errors="replace"))
    own = getattr(module, name, None)
    if not isinstance(own, type):
        there = ", ".join(_classes_of(module)) or "none"
        raise ConfigurationError(f"There is no class {name} in {file}. The classes there are: {there}.")
    found = UserClass(own, file, role)
    _refuse_misfit(found)
    return found


def _file(name: str, folder: Path, root: Path) -> Path:
    folders = [one for one in (folder, *folder.parents) if one.is_relative_to(root)] or [folder]
    for one in folders:
        if (one / name).is_file():
            return (one / name).resolve()
    raise ConfigurationError(f"There is no {name} in {folder}, where the YAML is that names it, nor in a folder above.")


@lru_cache(maxsize=256)
def _loaded(file: Path, text: str) -> ModuleType:
    """Run a file as a module of its own; one that has not changed is run once."""
    name = f"sync_user_{file.stem}_{crc32(str(file).encode()):08x}_{crc32(text.encode()):08x}"
    spec = spec_from_loader(name, loader=None, origin=str(file))
    module = module_from_spec(spec) if spec else ModuleType(name)
    module.__file__ = str(file)
    sys.modules[name] = module  # dataclasses look up the types of their fields there
    try:
        exec(compile(text, str(file), "exec"), module.__dict__)  # noqa: S102 - the user's own file is what is asked for
    except Exception as error:  # noqa: BLE001 - it is the user's own code
        del sys.modules[name]
        raise _unloadable(file, error) from None
    return module


def mistake_below(folder: Path, error: BaseException) -> ConfigurationError | None:
    """Return what is wrong with a Python file below `folder` that could not be loaded; None when none is to blame."""
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        files.append(error.filename or "")
    own = [Path(file) for file in files if Path(file).is_relative_to(folder)]
    return _unloadable(own[-1], error) if own else None


def _unloadable(file: Path, error: BaseException) -> ConfigurationError:
    line = f", line {found}" if (found := line_in(file, error)) else ""
    return ConfigurationError(f"{file}{line}: {described(error)}. The file cannot be loaded.")


def line_in(file: Path, error: BaseException) -> int | None:
    """Return the line of a file in which an error arose, as deep in it as there is one."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return error.lineno
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return lines[-1] if lines else None


def described(error: BaseException) -> str:
    """Return an error in one line."""
    said = error.msg if isinstance(error, SyntaxError) else " ".join(str(error).split())
    return f"{type(error).__name__}: {said}".rstrip(": ").rstrip(".")


def _classes_of(module: ModuleType) -> list[str]:
    return [name for name, one in vars(module).items() if isinstance(one, type) and one.__module__ == module.__name__]


def _refuse_misfit(found: UserClass) -> None:
    needed, written = _NEEDED[found.role], found.written
    if lacking := [f"{name}()" for name in _methods_of(needed) if name not in written]:
        raise ConfigurationError(f"{found} is no {found.role}: it lacks {_listed(lacking)}.")
    if lacking := [name for name in _values_of(needed) if name not in written]:
        raise ConfigurationError(f"{found} is no {found.role}: write {_listed(lacking)} in the class.")
    for name in found.methods:
        _refuse_signature(found, name)


def _refuse_signature(found: UserClass, name: str) -> None:
    """Refuse a method that cannot be called as the pipeline calls it."""
    wanted = next(getattr(one, name) for one in (_NEEDED[found.role], *_RICHER[found.role]) if hasattr(one, name))
    names = list(inspect.signature(wanted).parameters)[1:]
    method = getattr(found.own, name)
    shown = f"{name}({', '.join(names)})"
    if not callable(method):
        raise ConfigurationError(f"{found} has {name}, but not as a method: it must be {shown}.")
    bare = inspect.unwrap(method)
    if inspect.iscoroutinefunction(bare) or inspect.isasyncgenfunction(bare):
        raise ConfigurationError(f"{found} has an async {name}. The pipeline calls plain methods: write it without.")
    itself = [] if isinstance(inspect.getattr_static(found.own, name), staticmethod | classmethod) else [None]
    try:
        inspect.signature(method).bind(*itself, *names)
    except TypeError:
        own = inspect.signature(method)
        taken = ", ".join(str(one) for one in list(own.parameters.values())[len(itself) :])
        raise ConfigurationError(f"{found} has {name}({taken}), but it is called as {shown}.") from None


def _methods_of(*protocols: type) -> Iterator[str]:
    seen = set[str]()
    for protocol in protocols:
        for one in reversed(protocol.__mro__):
            for name, value in vars(one).items():
                if inspect.isfunction(value) and not name.startswith("_") and name not in seen:
                    seen.add(name)
                    yield name


def _values_of(protocol: type) -> list[str]:
    return [name for name, value in vars(protocol).items() if isinstance(value, property)]


def _parameters(own: type[Any]) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(own).parameters


def _is_needed(one: inspect.Parameter) -> bool:
    return one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)


def _hints(own: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(own.__init__)
    except (NameError, TypeError):
        return {}  # a type that is only there for a checker


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
