"""The subcommands. Each says in its help what it does and shows examples; the work is done in other modules.

Nothing heavy is imported here: a completion, `--help` and `--version` answer at once.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sync_orchestration.cli import completion

NAME = "sync-orchestration"

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Keeps business-partner records in step between systems; every record's fate shows in the Dagster UI.",
    epilog="Settings come from the environment and from .env; see .env.example.",
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Port = Annotated[int | None, typer.Option(help="Port of the UI; by default 3000, or a free one if that is taken.")]
TheSync = Annotated[str, typer.Argument(help="The sync.", autocompletion=completion.complete_sync)]


def main() -> None:
    """Run the command line."""
    app(prog_name=NAME)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn a user's mistake or an unreachable system into one or two sentences and an exit code."""
    from sync_orchestration.cli import output

    with output.plain_errors():
        yield


def _examples(*lines: str) -> str:
    """Return the end of a command's help: each example on a line of its own."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([title, *(f"{NAME} {line}" for line in lines)])


def _tell_version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"{NAME} {version(NAME)}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and end.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""
    del version


@app.command(epilog=_examples("demo", "demo --once"))
def demo(
    port: Port = None,
    once: Annotated[
        bool, typer.Option("--once", help="Sync once without servers of Dagster, sum up, and end.")
    ] = False,
    odoo: Annotated[int, typer.Option(help="Which Odoo to stand in for: 18 or 19.")] = 19,
) -> None:
    """Run everything on stand-in servers, with a made-up company of 2,000 partners and 1,500 contractors."""
    from sync_orchestration.cli import demo as demo_module
    from sync_orchestration.cli.usage import UsageError

    with plain_errors():
        if odoo not in (18, 19):
            raise UsageError("--odoo is 18 or 19.")
        if once:
            demo_module.demo_once(odoo)
        else:
            demo_module.demo_until_stopped(odoo, port)


@app.command(epilog=_examples("dev", "dev --port 3000"))
def dev(
    port: Port = None,
    host: Annotated[
        str, typer.Option(help="Address that the UI listens on; it has no login of its own.")
    ] = "127.0.0.1",
    intake_port: Annotated[int, typer.Option(help="Port of the intake, where one of its tokens is set.")] = 8080,
) -> None:
    """Run Dagster (UI, daemon, code server) and the intake on the configured systems until stopped."""
    from sync_orchestration.cli import dev as dev_module
    from sync_orchestration.cli.environment import load_settings

    with plain_errors():
        load_settings()
        dev_module.run_until_stopped(port, host, intake_port)


@app.command(epilog=_examples("run flexi_partners", "run --json", "run flexi_partners --dry-run"))
def run(
    syncs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SYNC...", help="The syncs; default: every one.", autocompletion=completion.complete_syncs
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Read the whole source again, not only what changed.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be created, changed and deleted; send nothing.")
    ] = False,
    json: Json = False,
) -> None:
    """Bring syncs up to date, headless, through Dagster. Failed records are counted, not fatal."""
    from sync_orchestration.cli import headless, output

    if dry_run:
        from sync_orchestration.cli import looking

        with plain_errors():
            found = looking.dry_run(syncs or [], everything=everything)
            looking.print_previews(found, as_json=json)
        return
    with plain_errors():
        reports = headless.run_syncs(syncs or [], everything=everything, quiet=json)
        if json:
            output.print_json(
                {"syncs": {name: output.report_json(r, seconds) for name, (r, seconds) in reports.items()}}
            )
        else:
            headless.print_reports(reports)
    problems = [f"{name}: {report.problem}" for name, (report, _) in reports.items() if report.problem]
    for problem in problems:
        output.err.print(output.shown(problem), style="red")
    if problems:
        raise typer.Exit(1)


@app.command(epilog=_examples("check", "check --json"))
def check(json: Json = False) -> None:
    """Try every connection with harmless calls, and say what is wrong with it or has changed in its fields."""
    from sync_orchestration.cli import inspection, output

    with plain_errors():
        health = inspection.check()
        changed = inspection.schemas()
    if json:
        # Where no field of any system has changed there is nothing to tell of them.
        told = {"schemas": {name: inspection.schema_json(look) for name, look in changed.items()}} if changed else {}
        output.print_json({"connections": {h.name: inspection.health_json(h) for h in health}, **told})
    else:
        inspection.print_health(health)
        for name, look in changed.items():
            output.err.print(f"{name}: {look.sentence}", style="red" if look.serious else "yellow", markup=False)
    if not all(h.ok for h in health) or any(look.serious for look in changed.values()):
        raise typer.Exit(1)


@app.command(epilog=_examples("status", "status flexi_partners --failed"))
def status(
    sync: Annotated[str | None, typer.Argument(help="Only this sync.", autocompletion=completion.complete_sync)] = None,
    failed: Annotated[bool, typer.Option("--failed", help="List the failing records.")] = False,
    json: Json = False,
) -> None:
    """Show how many records are in which status, how far each sync is, and what fails."""
    from sync_orchestration.cli import inspection, output

    with plain_errors():
        found = inspection.status(sync, failed=failed)
        if json:
            output.print_json({"syncs": {name: inspection.status_json(s, failed=failed) for name, s in found.items()}})
        else:
            inspection.print_status(found, failed=failed)


@app.command(epilog=_examples("log odoo_to_rest", "log odoo_to_rest --key 412"))
def log(
    sync: TheSync,
    key: Annotated[
        str | None,
        typer.Option(help="Only tries at this record.", autocompletion=completion.complete_failing_key),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many of the newest tries.")] = 50,
    json: Json = False,
) -> None:
    """Show the log of attempts: every try at a record, newest first, with its answer and what was wrong."""
    from sync_orchestration.cli import looking

    with plain_errors():
        looking.print_attempts(looking.attempts(sync, key, limit), as_json=json)


@app.command(epilog=_examples("explain flexi_partners 1", "explain flexi_partners 1 --json"))
def explain(
    sync: TheSync,
    key: Annotated[
        str,
        typer.Argument(help="The record's key in its source.", autocompletion=completion.complete_failing_key),
    ],
    json: Json = False,
) -> None:
    """Tell one record's whole story: where it stands and why, what comes next, and what you can do."""
    from sync_orchestration.cli import explaining

    with plain_errors():
        explaining.print_stories(explaining.stories_of(sync, key), as_json=json)


@app.command(
    epilog=_examples("retry flexi_partners", "retry flexi_partners 412 413", "retry flexi_partners --confirm-deletes")
)
def retry(
    sync: TheSync,
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY...", help="Only these records.", autocompletion=completion.complete_failing_key),
    ] = None,
    confirm_deletes: Annotated[
        bool, typer.Option("--confirm-deletes", help="Also let the deletes go on that are held as suspiciously many.")
    ] = False,
) -> None:
    """Try failed records again, with what the source holds now."""
    from sync_orchestration.cli import headless

    with plain_errors():
        headless.retry(sync, keys or [], confirm_deletes=confirm_deletes)


@app.command(epilog=_examples("new flexi second_company", "new intake shop_partners"))
def new(
    kind: Annotated[
        str,
        typer.Argument(help="flexi, alfresco, odoo-out, odoo-in or intake.", autocompletion=completion.complete_kind),
    ],
    name: Annotated[str, typer.Argument(help="Name of the sync: small letters, digits and _.")],
) -> None:
    """Make the YAML of a new sync, filled in and explained line by line, and say what to do next."""
    from sync_orchestration.cli import new_sync

    with plain_errors():
        new_sync.make(kind, name)


@app.command(epilog=_examples("intake", "intake --port 8080"))
def intake(
    port: Annotated[int, typer.Option(help="Port of the service.")] = 8080,
    host: Annotated[str, typer.Option(help="Address that it listens on.")] = "127.0.0.1",
    tls_certificate: Annotated[Path | None, typer.Option(help="Certificate (PEM), unless a proxy does TLS.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
) -> None:
    """Run the service that other systems push records to, until stopped."""
    from sync_orchestration.cli import intake as intake_module

    with plain_errors():
        intake_module.serve(host, port, tls_certificate, tls_key)


@app.command(epilog=_examples("docs", "docs --folder docs/interface"))
def docs(
    folder: Annotated[Path, typer.Option(help="Where to write.", file_okay=False)] = Path("docs/interface"),
) -> None:
    """Write the interface documentation for senders: OpenAPI, a Postman collection, a page for each sync."""
    from sync_orchestration.cli import intake as intake_module
    from sync_orchestration.cli import output

    with plain_errors():
        for path in intake_module.write_documentation(folder):
            output.out.print(str(path))


@app.command(epilog=_examples("sandbox", "sandbox --state .sync/sandbox --odoo 18"))
def sandbox(
    flexi_port: Annotated[int, typer.Option(help="Port of the Flexi stand-in; 0: a free one.")] = 0,
    odoo_port: Annotated[int, typer.Option(help="Port of the Odoo stand-in; 0: a free one.")] = 0,
    alfresco_port: Annotated[int, typer.Option(help="Port of the Alfresco stand-in; 0: a free one.")] = 0,
    kontur_port: Annotated[int, typer.Option(help="Port of the Kontur stand-in; 0: a free one.")] = 0,
    rest_port: Annotated[int, typer.Option(help="Port of the stand-in of a REST API; 0: a free one.")] = 0,
    odoo: Annotated[int, typer.Option(help="Which Odoo to stand in for: 18 or 19.")] = 19,
    state: Annotated[Path | None, typer.Option(help="Folder that keeps their data; default: only memory.")] = None,
) -> None:
    """Run only the stand-in servers until stopped, and print the variables that point at them."""
    from sync_orchestration.cli import demo as demo_module
    from sync_orchestration.cli.stand_ins import SandboxPorts

    with plain_errors():
        ports = SandboxPorts(flexi_port, odoo_port, alfresco_port, kontur_port, rest_port)
        demo_module.sandbox_until_stopped(ports, odoo, state)


@app.command(epilog=_examples("stop"))
def stop() -> None:
    """Stop the embedded PostgreSQL of this state folder, and the demo's, which otherwise go on."""
    from sync_orchestration.cli.environment import demo_folder
    from sync_orchestration.interface.database import state_dir
    from sync_orchestration.interface.embedded import stop_embedded

    with plain_errors():
        stop_embedded(demo_folder())
        stop_embedded(state_dir())
