"""The `MediaMappings` section of a job, and which part it gives to a file by its name."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

import regex
from pydantic import AfterValidator, BeforeValidator, Field

from activities.errors import AcquisitionError
from activities.languages import canonical
from publishers.wire import Wire, supported

VIDEO_NAMES = r"(?i)\.(?:3gp|avi|flv|m2ts|m4v|mkv|mov|mp4|mpe?g|mts|mxf|ogv|ts|vob|webm|wmv|y4m)$"
"""What counts as video where the job has no `VideoStreamExpression`."""

TEXT_FORMATS = {
    ".vtt": "WebVTT",
    ".srt": "SRT",
    ".ttml": "TTML",
    ".dfxp": "DFXP",
    ".itt": "iTT",
    ".pac": "PAC",
}
"""Not `.xml`: what describes the delivery, and not the film, has that ending too."""

MATCH_SECONDS = 0.5
"""Backtracking can take exponential time: a match that takes longer fails the job."""

Part = Literal["video", "audio", "subtitle", "caption"]


def _compiles(expression: str) -> str:
    try:
        regex.compile(expression)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return expression


def _language(code: str) -> str:
    if tag := canonical(code):
        return tag
    raise ValueError(f"{code[:50]!r} is not a language code")


Item = TypeVar("Item")
Expression = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_compiles)]
Language = Annotated[str, Field(max_length=50), AfterValidator(_language)]
# Clients that write every field write null for an empty list.
Several = Annotated[list[Item], Field(max_length=200), BeforeValidator(lambda value: value or [])]


class NamedStream(Wire):
    """Files that an expression finds, all in one language."""

    language: Language
    file_name_expression: Expression


@dataclass(frozen=True)
class Claim:
    """A part that a file may play."""

    part: Part
    language: str | None = None
    """Canonical tag; None where the name does not say."""
    descriptive: bool = False


@dataclass(frozen=True)
class Rule:
    """An expression, and the part of the files that it finds."""

    field: str
    expression: str
    part: Part
    language: str | None = None
    """For all files; None = the expression captures it."""
    descriptive: bool = False

    def claim(self, name: str) -> Claim | None:
        """The claim of the file `name`, if the expression finds it.

        Raises:
            AcquisitionError: it takes too long, or captures what is not a language.
        """
        if self.part in {"subtitle", "caption"} and suffix(name) not in TEXT_FORMATS:
            return None
        match = self._search(name)
        return match and Claim(self.part, self.language or self._captured(match, name), self.descriptive)

    def _search(self, name: str) -> "regex.Match[str] | None":
        try:
            # concurrent: other threads, and so the heartbeat, go on.
            return regex.search(self.expression, name, timeout=MATCH_SECONDS, concurrent=True)
        except TimeoutError:
            raise AcquisitionError(
                f"MediaMappings.{self.field} takes more than {MATCH_SECONDS} s on the file name {name!r}; "
                "simplify the expression: it repeats a repetition"
            ) from None

    def _captured(self, match: "regex.Match[str]", name: str) -> str | None:
        group = "lang" if "lang" in match.re.groupindex else 1
        code = match[group] if match.re.groups else None
        if code and not canonical(code):
            raise AcquisitionError(
                f"MediaMappings.{self.field} finds {code!r} in the file name {name!r}, which is not a "
                "language code; correct the expression or the name"
            )
        return canonical(code) if code else None


class MediaMappings(Wire):
    """How files and tracks become streams. Expressions are searched in names relative to the location."""

    media_detection: Annotated[Literal["Regex", "Convention"], supported("Regex")] = "Regex"
    video_stream_expression: Expression | None = None
    audio_file_language_expression: Expression | None = None
    descriptive_audio_file_language_expression: Expression | None = None
    subtitle_file_language_expression: Expression | None = None
    caption_file_language_expression: Expression | None = None
    audio_streams: Several[NamedStream] = Field([])
    subtitle_streams: Several[NamedStream] = Field([])
    caption_streams: Several[NamedStream] = Field([])
    audio_languages: Several[Language] = Field([])
    """Keep only these; empty keeps all, here and below."""
    subtitle_languages: Several[Language] = Field([])
    caption_languages: Several[Language] = Field([])
    audio_mappings: Annotated[Any, supported(None)] = None
    fail_on_no_video_tracks: bool = True
    fail_on_no_audio_tracks: bool = True
    fail_on_no_subtitle_tracks: bool = False
    fail_on_no_caption_tracks: bool = False
    fail_on_ignored_files: bool = False
    fail_on_ignored_tracks: bool = False
    fallback_language_code: Language | None = "en"

    def claims(self, name: str) -> list[Claim]:
        """The parts that the file `name` may play: video, one other, or both; none = it is ignored.

        Raises:
            AcquisitionError: an expression takes too long, or captures what is not a language.
        """
        other = next((claim for rule in self.rules() if (claim := rule.claim(name))), None)
        video = self.video_rule().claim(name)
        return [claim for claim in (video, other) if claim]

    def video_rule(self) -> Rule:
        """What finds the video, which may be in a file that plays another part as well."""
        return Rule("VideoStreamExpression", self.video_stream_expression or VIDEO_NAMES, "video")

    def rules(self) -> Iterator[Rule]:
        """Of the other parts; the first that fits counts, so the special come before the general."""
        yield from _named("CaptionStreams", self.caption_streams, "caption")
        yield from _named("SubtitleStreams", self.subtitle_streams, "subtitle")
        yield from _named("AudioStreams", self.audio_streams, "audio")
        if found := self.caption_file_language_expression:
            yield Rule("CaptionFileLanguageExpression", found, "caption")
        if found := self.subtitle_file_language_expression:
            yield Rule("SubtitleFileLanguageExpression", found, "subtitle")
        if found := self.descriptive_audio_file_language_expression:
            yield Rule("DescriptiveAudioFileLanguageExpression", found, "audio", descriptive=True)
        if found := self.audio_file_language_expression:
            yield Rule("AudioFileLanguageExpression", found, "audio")


def suffix(name: str) -> str:
    """The ending of a file name, in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def _named(field: str, streams: list[NamedStream], part: Part) -> Iterator[Rule]:
    for index, stream in enumerate(streams):
        yield Rule(f"{field}.{index}.FileNameExpression", stream.file_name_expression, part, stream.language)
