"""The `MediaMappings` section of a job."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

import regex
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from activities.expressions import LONGEST, MOST, MOST_TOGETHER, has_calls, size
from activities.languages import canonical
from publishers.wire import Wire

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

STEREO, SURROUND = 2, 6
"""Mono tracks that make one track of several channels."""

Part = Literal["video", "audio", "subtitle", "caption"]


def _compiles(expression: str) -> str:
    if size(expression) > MOST:
        raise ValueError(f"has more than {MOST} parts once its repetitions are written out; repeat less")
    if has_calls(expression):  # within the time limit of a match, they take hundreds of megabytes
        raise ValueError("calls a group of itself, as (?R), (?1) and (?&name) do; write the group out instead")
    try:
        regex.compile(expression)
    except (regex.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is not a regular expression: {error}") from None
    return expression


def _language(code: str) -> str:
    if tag := canonical(code):
        return tag
    raise ValueError(f"{code[:50]!r} is not a language code")


def _fill_a_layout(indices: list[int]) -> list[int]:
    if len(indices) not in (STEREO, SURROUND):
        raise ValueError(f"must be two tracks for stereo, or six for 5.1; these are {len(indices)}")
    return indices


Item = TypeVar("Item")
Expression = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_compiles)]
Language = Annotated[str, Field(max_length=50), AfterValidator(_language)]
# Clients that write every field write null for an empty list.
Several = Annotated[list[Item], Field(max_length=200), BeforeValidator(lambda value: value or [])]


class NamedStream(Wire):
    """Files that an expression finds, all in one language."""

    language: Language
    file_name_expression: Expression


class JoinedTracks(Wire):
    """Mono tracks of the video's file that are the channels of one track: L R, or L R C LFE Ls Rs."""

    track_indices: Annotated[list[Annotated[int, Field(ge=1)]], AfterValidator(_fill_a_layout)]
    """Places among the audio tracks of the file, from 1."""
    language: Language


class AudioMappings(Wire):
    """Where it names tracks, the other audio tracks of the video's file are ignored."""

    video_stream_audio_tracks: Several[JoinedTracks] = Field([])


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


class MediaMappings(Wire):
    """How files and tracks become streams. Expressions are searched in names relative to the location."""

    media_detection: Literal["Regex", "Convention"] = "Regex"
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
    audio_mappings: AudioMappings | None = None
    fail_on_no_video_tracks: bool = True
    fail_on_no_audio_tracks: bool = True
    fail_on_no_subtitle_tracks: bool = False
    fail_on_no_caption_tracks: bool = False
    fail_on_ignored_files: bool = False
    fail_on_ignored_tracks: bool = False
    fallback_language_code: Language | None = "en"

    @model_validator(mode="before")
    @classmethod
    def _is_soon_compiled(cls, section: Any) -> Any:
        sums = accumulate(min(size(text), MOST) for text in _expressions_in(section))
        if any(parts > MOST_TOGETHER for parts in sums):
            raise ValueError(
                f"its expressions have more than {MOST_TOGETHER} parts together, once repetitions are written out; "
                "give fewer or shorter ones"
            )
        return section

    @model_validator(mode="after")
    def _is_one_way(self) -> "MediaMappings":
        if self.media_detection == "Convention" and (given := [*self._expressions()]):
            raise ValueError(
                f"MediaDetection is Convention, which reads names without expressions; remove {', '.join(given)}, "
                "or set MediaDetection to Regex"
            )
        return self

    def _expressions(self) -> Iterator[str]:
        """Names of the fields with expressions that are set."""
        for name, field in type(self).model_fields.items():
            if name.endswith(("_expression", "_streams")) and getattr(self, name):
                yield str(field.alias)

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


def _expressions_in(section: Any) -> Iterator[str]:
    """Those of a section as it came, which can be anything; longer texts are refused by their fields."""
    for value in section.values() if isinstance(section, dict) else section if isinstance(section, list) else ():
        if isinstance(value, str) and len(value) <= LONGEST:
            yield value
        yield from _expressions_in(value)


def suffix(name: str) -> str:
    """The ending of a file name, in lower case, with its dot."""
    return PurePosixPath(name).suffix.lower()


def _named(field: str, streams: list[NamedStream], part: Part) -> Iterator[Rule]:
    for index, stream in enumerate(streams):
        yield Rule(f"{field}.{index}.FileNameExpression", stream.file_name_expression, part, stream.language)
