import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from publishers.asyncapi import EXAMPLES, asyncapi, examples
from publishers.events import BODIES, Message, event_schemas

ROOT = Path(__file__).parents[2]
DOCUMENT = asyncapi()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for each in part.values():
            yield from references(each)
    elif isinstance(part, list):
        for each in part:
            yield from references(each)


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 5 * len(BODIES)
    for reference in found:
        here: Any = DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def test_every_event_has_an_example_and_goes_over_every_transport() -> None:
    assert [type(example) for example in EXAMPLES] == list(BODIES)
    assert set(DOCUMENT["channels"]) == {"rabbitmq", "serviceBus", "sqs", "ftps", "files"}
    for channel in DOCUMENT["channels"].values():
        assert list(channel["messages"]) == [body.__name__ for body in BODIES]
    assert {operation["action"] for operation in DOCUMENT["operations"].values()} == {"send"}


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.event_type)
def test_an_example_fits_its_schema_and_a_crippled_one_does_not(example: Message) -> None:
    in_document = {"$ref": f"#/components/schemas/{example.event_type}", "components": DOCUMENT["components"]}
    for schema in (event_schemas()[example.event_type], in_document):
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        validator.validate(example.body)
        for name in example.body:
            assert not validator.is_valid({field: value for field, value in example.body.items() if field != name})


def test_an_event_may_gain_fields() -> None:
    for example in examples():
        Draft202012Validator(event_schemas()[example.event_type]).validate(example.body | {"Later": 1})


def test_the_committed_files_are_not_stale() -> None:
    check = [sys.executable, "-m", "scripts.schemas", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert json.loads((ROOT / "docs" / "asyncapi.json").read_text()) == DOCUMENT
