"""Every environment variable: those of .env.example with what it says of them, and those that only the code names."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sync_orchestration
from sync_orchestration_tests.guide.markdown import code, table, text

PACKAGE = Path(sync_orchestration.__file__).parent
_EXAMPLE = PACKAGE.parent / ".env.example"
_ASSIGNED = re.compile(r"#\s*([A-Z][A-Z0-9_]+)=(.*)")
_READ = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")
_IN_YAML = re.compile(r"\$([A-Z][A-Z0-9_]+)")

BEYOND = {
    "DAGSTER_EVENT_BATCH_SIZE": "How many of a run's events Dagster stores at once; by default 100 here.",
    "REQUESTS_CA_BUNDLE": "A file (PEM) of certificate authorities to trust instead of the usual ones.",
    "SSL_CERT_FILE": "The same, where `REQUESTS_CA_BUNDLE` is unset.",
    "OTEL_SDK_DISABLED": "`true` switches traces off, whatever else is set.",
    "OTEL_TRACES_EXPORTER": "`none` switches traces off, whatever else is set.",
    "HTTPS_PROXY": "A proxy for requests to `https://` addresses; `HTTP_PROXY` and `NO_PROXY` likewise.",
}
"""What is not for .env, but may be set; a test tells of a variable that nobody has explained."""

_HEAD = """# Environment variables

Commands read `.env` of the folder they are started in, where `.env.example` is the pattern; a variable that the
environment has already counts more. Secrets stand here and nowhere else. A YAML may name more variables (`$NAME`), as
many as you have systems.
"""


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of .env.example that belong together: what is said, and the variables with their examples."""

    said: str
    variables: tuple[tuple[str, str], ...]


def environment_page() -> str:
    """Return the page."""
    parts = [_HEAD]
    blocks = list(_blocks(_EXAMPLE.read_text(encoding="utf-8")))
    told = {name for block in blocks for name, _ in block.variables}
    parts.append(table(["variable", "what it is for, and examples"], map(_row, blocks)))
    # The proxies are read by the library that sends the requests.
    read = {"HTTPS_PROXY": "systems/sessions.py"} | read_by_the_code()
    others = {name: where for name, where in read.items() if name not in told}
    if others:
        rows = [[code(name), text(BEYOND[name]), code(where)] for name, where in sorted(others.items())]
        parts.append("## Others that the code reads\n\n" + table(["variable", "what it is for", "read by"], rows))
    return "\n".join(parts)


def read_by_the_code() -> dict[str, str]:
    """Return the name of every variable that the program reads, and the first file that does."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] != "sandbox":
            found = {name: str(inside) for name in _read_in(path)} | found
    for path in sorted(PACKAGE.glob("defs/**/*.yaml")):
        inside = path.relative_to(PACKAGE)
        lines = (line.partition("#")[0] for line in path.read_text(encoding="utf-8").splitlines())
        found = {name: str(inside) for line in lines for name in _IN_YAML.findall(line)} | found
    return found


def _read_in(path: Path) -> Iterator[str]:
    """Yield the names that a module asks the environment for: os.environ, os.getenv, EnvVar."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        asked: ast.expr | None = None
        if isinstance(node, ast.Call) and node.args and _is_environment(node.func):
            asked = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            asked = node.slice
        value = constants.get(asked.id) if isinstance(asked, ast.Name) else getattr(asked, "value", None)
        if isinstance(value, str) and _READ.fullmatch(value):
            yield value


def _is_environment(function: ast.expr) -> bool:
    return ast.unparse(function).endswith(("environ.get", "getenv", "EnvVar", "environ.pop", "environ.setdefault"))


def _blocks(lines: str) -> Iterator[Block]:
    for paragraph in re.split(r"\n\s*\n", lines):
        said: list[str] = []
        variables: list[tuple[str, str]] = []
        for line in paragraph.splitlines():
            if assigned := _ASSIGNED.fullmatch(line.strip()):
                variables.append((assigned[1], assigned[2]))
                continue
            if variables:
                yield Block(" ".join(said), tuple(variables))
                said, variables = [], []
            said.append(line.strip("# "))
        if variables:
            yield Block(" ".join(said), tuple(variables))


def _row(block: Block) -> list[str]:
    names = dict.fromkeys(name for name, _ in block.variables)
    examples = [f"{name}={example}" for name, example in block.variables if example]
    return ["<br>".join(map(code, names)), "<br>".join([text(block.said), *map(code, examples)])]
