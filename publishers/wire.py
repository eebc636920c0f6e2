"""What every JSON document of the contract has in common: PascalCase names, no unknown fields."""

from typing import Any

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_pascal


class Wire(BaseModel):
    """Base of everything that crosses the border: `snake_case` in code, `PascalCase` in JSON, immutable."""

    model_config = ConfigDict(
        alias_generator=to_pascal,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        # A rejected value can be a secret: pydantic's own error text must not quote it.
        hide_input_in_errors=True,
    )

    def to_json_object(self) -> dict[str, Any]:
        """This document as plain JSON types, ready for `json.dumps`."""
        return self.model_dump(mode="json")


def supported(*values: object) -> AfterValidator:
    """Accept only `values` of a documented field whose other values this release cannot serve yet."""

    def check(value: Any) -> Any:
        if value not in values:
            expected = ", ".join(str(v) for v in values)
            msg = f"this value is documented, but this release does not support it yet; supported: {expected}"
            raise ValueError(msg)
        return value

    return AfterValidator(check)
