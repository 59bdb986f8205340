"""The guide can be built, needs nothing from elsewhere, leads nowhere in vain, and tells all that the program knows."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

from sync_orchestration.cli.main import NAME, app
from sync_orchestration_tests.guide.codes_page import given_codes, spoken_texts, told_codes
from sync_orchestration_tests.guide.environment_page import BEYOND, environment_page, read_by_the_code
from sync_orchestration_tests.guide.repository import ROOT
from sync_orchestration_tests.guide.settings_page import FOLDER

COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
# What a browser fetches without being asked.
FETCHED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "object": "data"}
IN_STYLE = re.compile(r"@import\s+[\"']?([^\"';)]+)|url\(\s*[\"']?([^\"')]+)")
COMMAND = re.compile(rf"{NAME} ([a-z]+)([^\n`#|&;(]*)")


@dataclass
class Page(HTMLParser):
    """What a built page refers to, and the places in it that one may refer to."""

    path: Path
    fetched: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        text = self.path.read_text(encoding="utf-8")
        self.feed(text)
        styles = re.findall(r"<style[^>]*>(.*?)</style>", text, re.DOTALL)
        self.fetched += [found for style in styles for found in in_style(style)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in FETCHED and FETCHED[tag] in given:
            self.fetched.append(given[FETCHED[tag]])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        self.places.update(given[name] for name in ("id", "name") if name in given)
        self.classes.update(given.get("class", "").split())


def in_style(style: str) -> list[str]:
    return [one or other for one, other in IN_STYLE.findall(style) if not (one or other).startswith("data:")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide, built anew; a warning would end it."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-W", "ignore", "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    """The built pages by their place; the one for addresses that do not exist speaks of a site at the root."""
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}


def is_elsewhere(address: str) -> bool:
    return bool(urlsplit(address).netloc) or urlsplit(address).scheme not in ("", "data")


def target_of(page: Path, address: str) -> tuple[Path, str]:
    parts = urlsplit(address)
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    return (path / "index.html" if path.is_dir() else path), unquote(parts.fragment)


@pytest.mark.xdist_group("guide")
def test_a_reader_s_browser_fetches_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    found = {str(path): page.fetched for path, page in pages.items()}
    found |= {str(path): in_style(path.read_text(encoding="utf-8")) for path in site.rglob("*.css")}

    assert len(pages) > 10
    assert any(found.values())
    assert {path: far for path, all_of in found.items() if (far := [one for one in all_of if is_elsewhere(one)])} == {}
    # The theme would fetch the program that draws these.
    assert not any("mermaid" in page.classes for page in pages.values())


@pytest.mark.xdist_group("guide")
def test_every_link_and_every_picture_leads_somewhere(pages: dict[Path, Page]) -> None:
    dead = []
    for path, page in pages.items():
        for address in [*page.links, *page.fetched]:
            if is_elsewhere(address) or address.startswith("data:"):
                continue
            target, place = target_of(path, address)
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                dead.append(f"{path.name}: {address}")

    assert dead == []


@pytest.mark.xdist_group("guide")
def test_every_setting_of_every_yaml_is_listed(site: Path) -> None:
    shown = (site / "reference/settings.html").read_text(encoding="utf-8")

    names = {name for path in FOLDER.glob("*.json") for name in settings_in(json.loads(path.read_text("utf-8")))}
    assert len(names) > 100
    assert {name for name in names if f"<td><code>{name}</code></td>" not in shown} == set()


def settings_in(schema: dict[str, Any]) -> Iterator[str]:
    for part in (schema["properties"]["attributes"], *schema["$defs"].values()):
        yield from part.get("properties", {})


@pytest.mark.xdist_group("guide")
def test_every_command_and_option_is_listed(site: Path) -> None:
    shown = (site / "reference/commands.html").read_text(encoding="utf-8")

    for name, command in COMMANDS.items():
        assert f'id="{name}"' in shown
        options = [one for parameter in command.params for one in parameter.opts if one.startswith("--")]
        assert [one for one in options if f"<code>{one}" not in shown and one != "--help"] == []


def test_every_command_that_the_pages_name_exists() -> None:
    wrong = []
    for path in sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]):
        for command, rest in COMMAND.findall(path.read_text(encoding="utf-8")):
            known = COMMANDS.get(command)
            options = [] if known is None else [one for parameter in known.params for one in parameter.opts]
            if known is None or [one for one in re.findall(r"--[a-z-]+", rest) if one not in options]:
                wrong.append(f"{path.name}: {command}{rest}")

    assert wrong == []


def test_every_code_that_a_row_can_have_is_explained() -> None:
    assert given_codes() - told_codes() == set()


def test_no_code_is_explained_that_the_program_does_not_know() -> None:
    assert told_codes() - spoken_texts() == set()


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("REQUESTS_CA_BUNDLE", "systems/sessions.py"),
        ("INTAKE_HOOK_SECRET", "components/flexi_hooks.py"),  # by way of a constant
        ("KONTUR_KEY", "defs/connections/defs.yaml"),
    ],
)
def test_a_variable_is_found_wherever_it_is_read(variable: str, place: str) -> None:
    assert read_by_the_code()[variable] == place


def test_every_variable_is_explained() -> None:
    named = re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)

    assert read_by_the_code().keys() - {*named, *BEYOND} == set()
    page = environment_page()
    assert [name for name in {*named, *BEYOND} if f"`{name}`" not in page] == []
