"""The `ContentProcessing` section of a job (contract, section 5)."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from activities.drm.config import Drm
from activities.naming import Naming
from activities.watermarks import Watermark
from publishers.wire import Wire

OutputFormat = Literal["Dash", "DashOnDemand", "Hls", "Cmaf"]
AudioFormat = Literal["AAC", "AC3"]
Archiving = Literal["None", "Tar", "SingleTar"]
Sound = Literal["Mono", "Stereo", "5.1"]
CHANNELS: dict[str, int] = {"Mono": 1, "Stereo": 2, "5.1": 6}
OTHER_SOUND = "{} channels"
"""What is called by their number: sound that is not encoded has as many as there are."""
AAC_MOST = 288
"""kbit/s of one channel: 6144 bits in each of the 46.875 frames of a second."""
AC3_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
AC3_LEAST: dict[str, int] = {"Mono": 32, "Stereo": 64, "5.1": 128}
Side = Annotated[int, Field(ge=16, le=8192)]


def bitrates(audio_format: AudioFormat, sound: str) -> range | list[int]:
    """The kbit/s that a format can have, from least to most."""
    if audio_format == "AC3":
        return [kbps for kbps in AC3_BITRATES if kbps >= AC3_LEAST[sound]]
    return range(8, AAC_MOST * CHANNELS[sound] + 1)


def sound_of(channels: int) -> str:
    """The name of a layout, by its number of channels."""
    return next((name for name, count in CHANNELS.items() if count == channels), OTHER_SOUND.format(channels))


def channels_of(sound: str) -> int:
    """The reverse."""
    return CHANNELS.get(sound) or int(sound.removesuffix(OTHER_SOUND.format("")))


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
    audio_format: AudioFormat = "AAC"
    creation_rule: Literal["Always", "OnMatchingSound"] = "Always"

    @model_validator(mode="after")
    def _can_be_encoded(self) -> "AudioRepresentation":
        allowed = bitrates(self.audio_format, self.sound)
        if self.bitrate_in_kbps not in allowed:
            listed = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(map(str, allowed))
            raise ValueError(
                f"BitrateInKbps: {self.audio_format} in {self.sound} cannot have {self.bitrate_in_kbps}; "
                f"choose from {listed}"
            )
        return self


class ContentProcessing(Drm):
    """How to encode, encrypt and package. Without `OutputFormat`, DASH and HLS are made: they play everywhere."""

    output_format: Annotated[list[OutputFormat], BeforeValidator(_listed), Field(min_length=1)] = ["Dash", "Hls"]
    video_format: Literal["H264", "H265", "DoNotEncode"] = "H264"
    optimize_for: Literal["Speed", "Balance", "Quality"] = "Balance"
    encoding_mode: Literal["Default", "PerScene"] = "Default"
    video_representations: list[VideoRepresentation] | None = Field(None, max_length=20)
    bitrate_ladder: Literal["V2"] | None = None
    audio_representations: list[AudioRepresentation] | None = Field(None, max_length=10)
    normalize_audio: bool = False
    force_pixel_aspect_ratio_to_1: bool | None = None
    force_aspect_ratio_to_standard: bool = False
    search_for_optimal_nearby_resolutions: bool = False
    use_highest_possible_bitrate: bool = False
    extract_and_apply_hdr: bool = Field(False, alias="ExtractAndApplyHDR")
    archiving: Archiving = "None"
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

    @model_validator(mode="after")
    def _encodes_what_it_asks_for(self) -> "ContentProcessing":
        asked = (
            ("VideoRepresentations", self.video_representations),
            ("BitrateLadder", self.bitrate_ladder),
            ("VisibleVideoWatermarks", self.visible_video_watermarks),
        )
        if self.video_format == "DoNotEncode" and (names := [name for name, value in asked if value]):
            raise ValueError(f"VideoFormat is DoNotEncode, which changes no picture; remove {', '.join(names)}")
        if self.video_format == "DoNotEncode" and self.normalize_audio and not self.audio_representations:
            raise ValueError(
                "NormalizeAudio: VideoFormat is DoNotEncode, which packages sound as it is; remove NormalizeAudio, "
                "or ask for AudioRepresentations: with them, sound is encoded"
            )
        return self
