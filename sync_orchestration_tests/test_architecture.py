"""The floors of the design, kept by reading what each module imports and says."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sync_orchestration

PACKAGE = "sync_orchestration"
ROOT = Path(sync_orchestration.__file__).parent
LONGEST_MODULE = 400

FLOORS = (
    {"cli"},
    {"definitions"},
    {"defs_dir"},
    {"components"},
    {"systems"},
    {"pipeline", "intake"},
    {"interface", "mapping"},
)
"""From top to bottom; a floor imports the floors below it. `defs` holds YAML, `sandbox` stands apart."""

VENDORS = re.compile(r"flexi|abra|alfresco|citeck|ecos|kontur|odoo", re.IGNORECASE)
VENDORS_ARE_NAMED_IN = {
    "components.assets": "the kind badges that the UI shows",
    "components.connections": "the kinds of connections in the YAML",
    "components.flexi_hooks": "the job that registers web hooks with the one vendor who has them",
    "components.intake": "whose hooks they are, and who is asked for related records",
    "components.kinds": "the table of the kinds that the YAML names: how each is opened and tried",
    "components.maintenance": "the job that switches the feed of one vendor, and examples in help texts",
    "components.settings": "the kinds of sources and targets in the YAML",
    "components.source_settings": "the kinds of sources in the YAML",
    "components.target_settings": "the kinds of targets in the YAML",
    "cli.demo": "starts the stand-ins",
    "cli.environment": "the prefixes of the variables of connections",
    "cli.main": "help texts of the stand-ins",
    "cli.stand_ins": "starts the stand-ins",
}
SQL = re.compile(r"\b(SELECT\s|INSERT\s+INTO|UPDATE\s+\w|DELETE\s+FROM|CREATE\s+(TABLE|SCHEMA|INDEX)|DROP\s+TABLE)")


@cache
def modules() -> dict[str, Path]:
    """Every module of the product by its name below the package; the package itself is ''."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(modules()[module].read_text(encoding="utf-8"))


def imported_names(module: str) -> Iterator[str]:
    """Yield the full name of everything that a module imports, wherever in it the import stands."""
    is_package = modules()[module].name == "__init__.py"
    here = [PACKAGE, *module.split(".")] if module else [PACKAGE]
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = len(here) - node.level + (1 if is_package else 0)
            start = here[:above] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def own_imports(module: str) -> frozenset[str]:
    """The modules of the product that a module imports."""
    found = set()
    for name in imported_names(module):
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            below = name.removeprefix(PACKAGE).removeprefix(".")
            # `from package import thing`: the thing is a module of its own, or something in the package.
            found.add(below if below in modules() else below.rpartition(".")[0])
    return frozenset(found)


def part_of(module: str) -> str:
    return module.partition(".")[0]


def floor_of(module: str) -> int | None:
    return next((number for number, floor in enumerate(FLOORS) if part_of(module) in floor), None)


def spoken(module: str) -> Iterator[tuple[int, str]]:
    """Yield line and text of every name and every string of a module, its docstrings and comments left out."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    # A string below an assignment describes the name, as Sphinx reads it.
    docstrings |= {id(node.value) for node in ast.walk(tree(module)) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree(module)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield line, node.value
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield line, node.name
        elif isinstance(node, ast.arg):
            yield line, node.arg
        elif isinstance(node, ast.alias):
            yield line, f"{node.name} {node.asname or ''}"


def says(module: str, pattern: re.Pattern[str]) -> list[str]:
    return [f"{module} line {line}: {text[:60]!r}" for line, text in spoken(module) if pattern.search(text)]


def test_every_module_has_its_place_in_the_house() -> None:
    known = set().union(*FLOORS) | {"", "defs", "sandbox"}
    assert {part_of(module) for module in modules()} <= known


@pytest.mark.parametrize("module", [m for m in modules() if floor_of(m) is not None])
def test_a_module_imports_only_from_its_own_part_and_the_floors_below(module: str) -> None:
    floor = floor_of(module)
    assert floor is not None
    allowed = {part_of(module)}.union(*FLOORS[floor + 1 :])
    allowed |= {"defs"} if module in ("definitions", "defs_dir") else set()
    allowed |= {"sandbox"} if part_of(module) == "cli" else set()
    assert {part_of(imported) for imported in own_imports(module)} <= allowed


def test_the_stand_ins_know_nothing_of_the_product_and_only_the_command_line_knows_them() -> None:
    for module in modules():
        imported = {part_of(name) for name in own_imports(module)}
        if part_of(module) == "sandbox":
            assert imported <= {"sandbox"}, module
        elif part_of(module) != "cli":
            assert "sandbox" not in imported, module


def test_dagster_is_imported_only_where_yaml_becomes_definitions() -> None:
    importers = {m for m in modules() if any(n.partition(".")[0].startswith("dagster") for n in imported_names(m))}
    assert importers
    assert {part_of(module) for module in importers} == {"components", "definitions"}


def test_vendors_are_named_only_in_their_modules_and_where_the_yaml_names_a_kind() -> None:
    elsewhere = [m for m in modules() if part_of(m) not in ("systems", "sandbox") and m not in VENDORS_ARE_NAMED_IN]
    assert [found for module in elsewhere for found in says(module, VENDORS)] == []


def test_every_exception_for_a_vendors_name_is_still_needed() -> None:
    assert [module for module in VENDORS_ARE_NAMED_IN if not says(module, VENDORS)] == []


def test_sql_stands_only_in_the_interface() -> None:
    assert [found for m in modules() if part_of(m) != "interface" for found in says(m, SQL)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: own_imports(module) - {module} for module in modules()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' → '.join(error.args[1])}")


def test_no_module_has_grown_beyond_what_one_reads_in_a_sitting() -> None:
    lengths = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in modules().items()}
    assert {module: lines for module, lines in lengths.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize(
    ("text", "is_sql"),
    [
        ("SELECT 1 FROM t", True),
        ("INSERT INTO t VALUES (1)", True),
        ("DELETE FROM t", True),
        ("Select the records to update from the list", False),
        ("UPDATE", False),  # the name of an operation
    ],
)
def test_the_search_for_sql_finds_sql(text: str, is_sql: bool) -> None:
    assert bool(SQL.search(text)) is is_sql
