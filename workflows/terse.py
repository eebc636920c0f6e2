"""How values are written for Temporal: dataclasses without what is as usual, which hundreds of requests would repeat.

Whoever reads them fills the gaps with the defaults of the fields.
"""

import json
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import CompositePayloadConverter, DefaultPayloadConverter, JSONPlainPayloadConverter


class TerseJsonConverter(PydanticJSONPlainPayloadConverter):
    """JSON as Pydantic writes and reads it, of dataclasses only what is not as usual."""

    def to_payload(self, value: Any) -> Payload | None:
        """See base class."""
        return super().to_payload(terse(value))

    def from_payload(self, payload: Payload, type_hint: type[Any] | None = None) -> Any:
        """See base class; of a client's value, also what Pydantic takes for no JSON: a half of a character, a BOM."""
        try:
            return super().from_payload(payload, type_hint)
        except ValueError:
            if type_hint not in (None, Any):
                raise
            return json.loads(payload.data)


class TersePayloadConverter(CompositePayloadConverter):
    """As Temporal's own, with another JSON."""

    def __init__(self) -> None:
        super().__init__(
            *(
                TerseJsonConverter() if isinstance(each, JSONPlainPayloadConverter) else each
                for each in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type[Any]] | None = None) -> list[Any]:
        """See base class; of more arguments than a workflow has, those that cannot be read stay as they are.

        An error here would keep the run from ever beginning, and so from ending.
        """
        if type_hints is None and len(payloads) > 1:
            return [self._read(payload) for payload in payloads]
        return super().from_payloads(payloads, type_hints)

    def _read(self, payload: Payload) -> Any:
        try:
            return self.from_payload(payload)
        except (ValueError, KeyError, RuntimeError):
            return RawValue(payload)


def terse(value: Any) -> Any:
    """The same in dictionaries and lists, without fields that hold their defaults; models stay what they are."""
    if is_dataclass(value) and not isinstance(value, type):
        held = {field.name: getattr(value, field.name) for field in fields(value)}
        usual = _usual(type(value))
        return {name: terse(each) for name, each in held.items() if name not in usual or each != usual[name]}
    if isinstance(value, dict):
        return {key: terse(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [terse(each) for each in value]
    return value


@cache
def _usual(kind: type[Any]) -> dict[str, Any]:
    """The defaults of its fields; fields without one are not in it."""
    defaults = {field.name: _default(field) for field in fields(kind)}
    return {name: default for name, default in defaults.items() if default is not MISSING}


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()
