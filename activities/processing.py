"""The `ContentProcessing` section of a job (contract, section 5)."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from activities.drm.config import Drm
from activities.watermarks import Watermark
from publishers.wire import Wire, supported

OutputFormat = Literal["Dash", "DashOnDemand", "Hls", "Cmaf"]
Sound = Literal["Mono", "Stereo", "5.1"]
Side = Annotated[int, Field(ge=16, le=8192)]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class VideoRepresentation(Wire):
    """One rung of the ladder; a missing side follows the source's aspect ratio."""

    width: Side | None = None
    height: Side | None = None
    bitrate_in_kbps: int = Field(ge=10, le=200_000)


class AudioRepresentation(Wire):
    """One audio rendition of every audio track."""

    bitrate_in_kbps: int = Field(ge=8, le=2048)
    sound: Sound = "Stereo"
    audio_format: Annotated[Literal["AAC", "AC3"], supported("AAC")] = "AAC"
    creation_rule: Literal["Always", "OnMatchingSound"] = "Always"


class Naming(Wire):
    """Names of what is published; fixed in this release."""

    manifest_name: Annotated[str | None, supported(None)] = None
    dash_manifest_name: Annotated[str | None, supported(None)] = None
    hls_manifest_name: Annotated[str | None, supported(None)] = None
    video_chunks_pattern: Annotated[str | None, supported(None)] = None
    audio_chunks_pattern: Annotated[str | None, supported(None)] = None


class ContentProcessing(Drm):
    """How to encode, encrypt and package. Without `OutputFormat`, DASH and HLS are made: they play everywhere."""

    output_format: Annotated[
        list[Annotated[OutputFormat, supported("Dash", "Hls", "Cmaf")]], BeforeValidator(_listed), Field(min_length=1)
    ] = ["Dash", "Hls"]
    video_format: Annotated[Literal["H264", "H265", "DoNotEncode"], supported("H264", "H265")] = "H264"
    optimize_for: Literal["Speed", "Balance", "Quality"] = "Balance"
    encoding_mode: Annotated[Literal["Default", "PerScene"], supported("Default")] = "Default"
    video_representations: list[VideoRepresentation] | None = Field(None, max_length=20)
    bitrate_ladder: Literal["V2"] | None = None
    audio_representations: list[AudioRepresentation] | None = Field(None, max_length=10)
    normalize_audio: Annotated[bool, supported(False)] = False
    force_pixel_aspect_ratio_to_1: bool | None = None
    force_aspect_ratio_to_standard: bool = False
    search_for_optimal_nearby_resolutions: bool = False
    use_highest_possible_bitrate: bool = False
    extract_and_apply_hdr: bool = Field(False, alias="ExtractAndApplyHDR")
    archiving: Annotated[Literal["None", "Tar", "SingleTar"], supported("None")] = "None"
    delete_files_from_source_when_done: bool = False
    use_native_language_names: bool = False
    naming: Naming | None = None
    visible_video_watermarks: list[Watermark] | None = Field(None, max_length=20)

    @field_validator("output_format")
    @classmethod
    def _combine(cls, formats: list[str]) -> list[str]:
        unique = list(dict.fromkeys(formats))
        if len(unique) > 1 and set(unique) != {"Dash", "Hls"}:
            raise ValueError("only Dash and Hls can be combined; ask for the others in jobs of their own")
        return unique

    @model_validator(mode="after")
    def _is_one_ladder(self) -> "ContentProcessing":
        if self.video_representations and self.bitrate_ladder:
            raise ValueError("BitrateLadder and VideoRepresentations exclude each other; leave one out")
        return self
