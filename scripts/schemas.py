"""Writes docs/asyncapi.json and docs/schemas/ from the models; with --check, only says whether they are stale."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from publishers.asyncapi import asyncapi
from publishers.events import event_schemas
from workflows.job import job_schema

DOCS = Path(__file__).parents[1] / "docs"


def documents() -> dict[Path, str]:
    """Every file and what belongs in it."""
    found: dict[str, Any] = {"asyncapi.json": asyncapi(), "schemas/Job.json": job_schema()}
    found |= {f"schemas/{name}.json": schema for name, schema in event_schemas().items()}
    return {DOCS / name: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for name, document in found.items()}


def main() -> None:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [path for path, text in documents().items() if not path.exists() or path.read_text() != text]
    if check and stale:
        sys.exit("stale, run `make schemas`: " + ", ".join(path.name for path in stale))
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(documents()[path])
        print(f"wrote {path.relative_to(DOCS.parent)}")


if __name__ == "__main__":
    main()
