"""What MkDocs calls while it builds the guide: adds the pages that are made from the code."""

from collections.abc import Callable, Mapping

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from sync_orchestration_tests.guide import repository
from sync_orchestration_tests.guide.codes_page import codes_page
from sync_orchestration_tests.guide.commands_page import commands_page
from sync_orchestration_tests.guide.environment_page import environment_page
from sync_orchestration_tests.guide.mapping_page import mapping_page
from sync_orchestration_tests.guide.metrics_page import metrics_page
from sync_orchestration_tests.guide.settings_page import settings_page

PAGES: Mapping[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/mapping.md": mapping_page,
    "reference/commands.md": commands_page,
    "reference/environment.md": environment_page,
    "reference/codes.md": codes_page,
    "reference/metrics.md": metrics_page,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference, and a page for each file of the repository that a page links to."""
    linked = {
        path
        for file in files.documentation_pages()
        for path in repository.linked_files(file.src_uri, file.content_string)
    }
    for name, page in PAGES.items():
        files.append(File.generated(config, name, content=page()))
    for path in sorted(linked):
        files.append(File.generated(config, repository.page_of(path), content=repository.shown(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links that leave docs/ to the pages that show those files."""
    del config, files
    return repository.with_pages(page.file.src_uri, markdown)
