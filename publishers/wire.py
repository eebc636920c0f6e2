"""What the JSON documents of the contract have in common: PascalCase names, no unknown fields, protected secrets."""

from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
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
        json_schema_serialization_defaults_required=True,  # what has a default is written out all the same
        # A rejected value can be a secret: pydantic's own error text must not quote it.
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, given: Any) -> Any:
        """Clients write null for what they have not set; where that is no value of its own, the field is left out."""
        if not isinstance(given, dict):
            return given
        unset = {
            field.alias
            for field in cls.model_fields.values()
            if not field.is_required() and NoneType not in get_args(field.annotation)
        }
        return {name: value for name, value in given.items() if value is not None or name not in unset}

    @classmethod
    def wire_name(cls, name: str) -> str:
        """How JSON spells a field whose name in code is `name`."""
        return str(cls.model_fields[name].alias)

    def to_json_object(self) -> dict[str, Any]:
        """This document as plain JSON types, ready for `json.dumps`."""
        return self.model_dump(mode="json")


SECRET = "secret"  # noqa: S105 - a mark, not one
"""Metadata of the fields that `CredentialsProtection` and `KeysProtection` protect."""

Secret = Annotated[str, Field(min_length=1, max_length=10_000, repr=False), SECRET]
OptionalSecret = Annotated[
    Annotated[str, Field(min_length=1, max_length=10_000)] | None, Field(repr=False, default=None), SECRET
]


Protection = Literal["Unencrypted", "Encrypted"]


class HoldsSecrets(Wire):
    """A section that holds secrets (contract, section 6)."""

    protection_field: ClassVar[str]
    """Name in code of the field that tells whether they are ciphertext."""

    @classmethod
    def secret_fields(cls) -> list[str]:
        """Names of the fields that hold secrets, in code."""
        return [name for name, field in cls.model_fields.items() if SECRET in field.metadata]

    @property
    def is_encrypted(self) -> bool:
        """Whether the secrets are ciphertext."""
        return bool(getattr(self, self.protection_field) == "Encrypted")


class Protected(HoldsSecrets):
    """Whose secrets are credentials."""

    protection_field = "credentials_protection"
    credentials_protection: Protection = "Unencrypted"


class KeysProtected(HoldsSecrets):
    """Whose secrets are keys."""

    protection_field = "keys_protection"
    keys_protection: Protection = "Unencrypted"


LONGEST_SPELLING = 50
"""Characters of what may be told as it was written where it means something shorter, as `00:00:10` or `eng`."""


def told(section: Wire, written: dict[str, Any]) -> dict[str, Any]:
    """`section` as its author has written it, without any secret.

    Args:
        written: the JSON object that it was made of.
    """
    return {
        str(field.alias): _told(getattr(section, name), written[field.alias])
        for name, field in type(section).model_fields.items()
        if field.alias in written and SECRET not in field.metadata
    }


def _told(value: Any, written: Any) -> Any:
    if isinstance(value, Wire) and isinstance(written, dict):
        return told(value, written)
    if isinstance(value, list) and isinstance(written, list) and len(value) == len(written):
        return [_told(*pair) for pair in zip(value, written, strict=True)]
    # Blanks and zeros without end can stand around a number.
    return written if written == value or len(str(written)) <= LONGEST_SPELLING else value


def spelled(field: str, *names: str) -> BeforeValidator:
    """Accept the names of `field`, which tells sections apart, in any case, and say which there are."""
    known = {name.lower(): name for name in names}

    def spell(section: Any) -> Any:
        if not isinstance(section, dict) or field not in section:
            return section
        name = section[field]
        if not isinstance(name, str) or name.lower() not in known:
            told = repr(name[:50]) if isinstance(name, str) else "that is no text"
            raise ValueError(f"unknown {field} {told}; supported: {', '.join(names)}")
        return {**section, field: known[name.lower()]}

    return BeforeValidator(spell)
