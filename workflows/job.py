"""The job description as a whole (contract, section 5); every section belongs to the package that serves it."""

from typing import Any, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from activities.images import ImageExtraction
from activities.mappings import MediaMappings
from activities.processing import ContentProcessing
from activities.server import job_id_of
from activities.storage.config import Location, WritableLocation
from activities.thumbnails import Thumbnails
from publishers.config import MessagePublisher
from publishers.events import Sender
from publishers.wire import Wire
from workflows.limits import excess

MAX_PUBLISHERS = 5
MAX_PROBLEMS = 50
MAX_NAME = 200
"""Characters of a field's name that a problem repeats."""
MAX_TEXT = 4096


class InvalidJob(ValueError):
    """The description is not a job; `problems` names each field, what is wrong with it, and the fix."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Undecodable:
    """Stands for input that is not JSON."""


class Job(Wire):
    """What the client hands over."""

    external_id: str | None = Field(None, max_length=MAX_TEXT)
    external_type: str | None = Field(None, max_length=MAX_TEXT)
    external_provider: str | None = Field(None, max_length=MAX_TEXT)
    tenant_id: str | None = Field(None, min_length=1, max_length=255)
    message_publishers: list[MessagePublisher] = Field([], max_length=MAX_PUBLISHERS)
    content_acquisition: Location
    media_mappings: MediaMappings
    content_processing: ContentProcessing
    content_publishing: WritableLocation
    image_extraction: ImageExtraction | None = None
    thumbnails: Thumbnails | None = None

    @model_validator(mode="after")
    def _can_delete_its_source(self) -> Self:
        if self.content_processing.delete_files_from_source_when_done and self.content_acquisition.provider == "Http":
            raise ValueError("DeleteFilesFromSourceWhenDone cannot be kept with an Http source; set it to false")
        return self

    @property
    def makes_thumbnails(self) -> bool:
        return self.thumbnails is not None and self.thumbnails.generate

    @property
    def watermark_names(self) -> list[str]:
        """Files of the source folder that lie over the picture."""
        watermarks = self.content_processing.visible_video_watermarks or []
        return list(dict.fromkeys(each.watermark_file_name for each in watermarks))

    @property
    def sends_ahead(self) -> bool:
        """Whether one format can be sent while there is something else to do for the title."""
        return (
            len(self.content_processing.output_format) > 1 or self.image_extraction is not None or self.makes_thumbnails
        )

    @classmethod
    def parse(cls, description: object) -> "Job":
        """Read a JSON object.

        Raises:
            InvalidJob: with every problem, each with the path of its field.
        """
        if isinstance(description, cls):
            return description
        if not isinstance(description, dict):
            raise InvalidJob([f"the job must be a JSON object, not {_json_type(description)}"])
        if found := excess(description):
            name, problem = found
            raise InvalidJob([f"{_printable(name)}: {problem}"])
        try:
            return cls.model_validate(description, by_name=False)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
            problems = [f"{_path(detail, description)}: {_advice(detail)}" for detail in details[:MAX_PROBLEMS]]
            raise InvalidJob(problems) from None


def job_schema() -> dict[str, Any]:
    """JSON Schema of the job description."""
    return Job.model_json_schema()


def sender_of(description: object, workflow_id: str, run_id: str, namespace: str) -> Sender:
    """Who the events speak for, also where the rest of the description is not valid."""
    job = description if isinstance(description, dict) else {}

    def text(name: str) -> str | None:
        value = job.get(name)
        return value if isinstance(value, str) and len(value) <= MAX_TEXT and _is_unicode(value) else None

    return Sender(
        job_id=job_id_of(workflow_id),
        tenant_id=text("TenantId") or namespace,
        external_id=text("ExternalId"),
        external_type=text("ExternalType"),
        external_provider=text("ExternalProvider"),
        run_id=run_id,
    )


def publishers_of(description: object) -> list[MessagePublisher]:
    """The blocks of `MessagePublishers` that are valid by themselves: an invalid job's `FinalError` goes there."""
    blocks = description.get("MessagePublishers") if isinstance(description, dict) else None
    adapter: TypeAdapter[MessagePublisher] = TypeAdapter(MessagePublisher)
    valid = []
    for block in blocks[:MAX_PUBLISHERS] if isinstance(blocks, list) else []:
        try:
            valid.append(adapter.validate_python(block, by_name=False))
        except ValidationError:
            continue
    return valid


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _path(detail: ErrorDetails, description: object) -> str:
    """`MessagePublishers[0].Host`; pydantic's own steps (names of union members) are left out."""
    path, here = "", description
    for place, step in enumerate(detail["loc"]):
        if isinstance(step, int):
            path += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
        elif (isinstance(here, dict) and step in here) or _is_missing(detail, place):
            path += f".{step}"
            here = here.get(step) if isinstance(here, dict) else None
    return _printable(path.removeprefix(".")) or "the job"


def _is_missing(detail: ErrorDetails, place: int) -> bool:
    return detail["type"] == "missing" and place == len(detail["loc"]) - 1


def _advice(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing; add it"
        case "extra_forbidden":
            return "is not a field of the job description; check its spelling or remove it"
        case _:
            return detail["msg"].removeprefix("Value error, ")


def _printable(text: str) -> str:
    shown = text[:MAX_NAME]
    return shown if shown.isprintable() else shown.encode("unicode_escape").decode()[:MAX_NAME]


def _json_type(value: object) -> str:
    names = {type(None): "nothing", list: "an array", str: "a string", bool: "a boolean"}
    names[Undecodable] = "something that does not decode as JSON"
    return names.get(type(value), "a number")
