"""Folders and files of the local state: nobody but their owner may read them."""

from pathlib import Path


def private_folder(folder: Path) -> Path:
    """Create a folder that only its owner may enter, unless it exists; returns it. One that exists keeps its rights."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner may read, also where it existed with other rights."""
    private_folder(file.parent)
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_text(text, encoding="utf-8")
