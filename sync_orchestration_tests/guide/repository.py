"""Links of the pages to files of the repository outside `docs/`: each such file becomes a page that shows it."""

import re
from collections.abc import Iterator
from os.path import normpath, relpath
from pathlib import Path
from posixpath import dirname

ROOT = Path(__file__).parent.parent.parent
_DOCS = "docs"
_LINK = re.compile(r"(\]\()((?:\.\./)+[^)#\s]+)((?:#[^)\s]*)?\))")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".sql": "sql", ".md": "markdown"}


def linked_files(page: str, markdown: str) -> Iterator[str]:
    """Yield the files outside docs/ that a page links to, by their path from the root."""
    for found in _LINK.finditer(markdown):
        if path := _outside(page, found[2]):
            yield path


def page_of(path: str) -> str:
    """Return the name of the page that shows a file."""
    return f"repository/{path}.md"


def shown(path: str) -> str:
    """Return the page that shows a file."""
    file = ROOT / path
    fence = "`" * 6
    return f"# {path}\n\n{fence} {_LANGUAGES.get(file.suffix, 'text')}\n{file.read_text(encoding='utf-8')}\n{fence}\n"


def with_pages(page: str, markdown: str) -> str:
    """Return a page's Markdown with its links to such files leading to the pages that show them."""

    def led(found: re.Match[str]) -> str:
        path = _outside(page, found[2])
        return found[0] if path is None else f"{found[1]}{relpath(page_of(path), dirname(page) or '.')}{found[3]}"

    return _LINK.sub(led, markdown)


def _outside(page: str, link: str) -> str | None:
    path = normpath(f"{_DOCS}/{dirname(page)}/{link}")
    inside = path.startswith(("..", f"{_DOCS}/"))
    return None if inside or not (ROOT / path).is_file() else path
