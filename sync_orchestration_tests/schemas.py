"""Writes the JSON schemas of the YAML folders into the package; run by `make schemas` after a change of a setting."""

import json
import sys
from pathlib import Path

import sync_orchestration
from sync_orchestration.components.editor_schemas import editor_schemas

FOLDER = Path(sync_orchestration.__file__).parent / "schemas"


def rendered() -> dict[str, str]:
    """Return the text of each schema by the name of its file."""
    schemas = editor_schemas().items()
    return {f"{name}.json": json.dumps(schema, ensure_ascii=False, indent=1) + "\n" for name, schema in schemas}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{FOLDER / name}\n")
