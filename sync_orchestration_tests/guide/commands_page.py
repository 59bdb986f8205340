"""Every command with its arguments, options and examples, as `--help` tells them."""

from pathlib import Path
from typing import Any

import typer.main

from sync_orchestration.cli.main import NAME, app
from sync_orchestration_tests.guide.markdown import code, table, text

_KINDS = {int: "NUMBER", str: "TEXT", Path: "PATH"}

_HEAD = f"""# Commands

`make setup` installs `.venv/bin/{NAME}`. Each command tells the same with `--help`. It reads `.env` of the
folder it is started in; what is set in the environment counts more.
"""


def commands_page() -> str:
    """Return the page."""
    # Typer brings its own copy of click, whose classes it does not offer.
    group: Any = typer.main.get_command(app)
    with group.make_context(NAME, [], resilient_parsing=True) as above:
        return "\n".join([_HEAD, *(_command(command, name, above) for name, command in sorted(group.commands.items()))])


def _command(command: Any, name: str, above: Any) -> str:
    with command.make_context(name, [], parent=above, resilient_parsing=True) as context:
        usage = command.get_usage(context).removeprefix("Usage: ")
        rows = [row for parameter in command.params if (row := _parameter(parameter, context))]
    lines = [f"## {name} {{ #{name} }}\n", f"{text(command.help or '')}\n", f"```text\n{usage}\n```\n"]
    if rows:
        lines.append(table(["option", "what it does"], rows))
    if command.epilog:
        examples = [line for line in command.epilog.splitlines() if line.startswith(NAME)]
        lines.append("```sh\n" + "\n".join(examples) + "\n```\n")
    return "\n".join(lines)


def _parameter(parameter: Any, context: Any) -> list[str] | None:
    if parameter.name == "help":
        return None
    default = parameter.get_default(context)
    usually = "" if default in (None, False, ()) else f" By default {code(str(default))}."
    said = text(getattr(parameter, "help", None) or "") + usually
    if parameter.param_type_name == "argument":
        return [code(parameter.metavar or parameter.name.upper()), said + " Required." * parameter.required]
    kind = "" if parameter.is_flag else f" {_KINDS[parameter.type_descriptor.annotation]}"
    return [", ".join(code(f"{one}{kind}") for one in parameter.opts), said]
