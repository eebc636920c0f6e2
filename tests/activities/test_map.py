from dataclasses import replace

import pytest

from activities.errors import AcquisitionError
from activities.mapping.candidate import Candidate
from activities.mapping.decide import decide
from activities.mapping.names import Names
from activities.mappings import MediaMappings
from activities.media.probe import AudioStream, Probe, SubtitleStream, VideoStream
from activities.tracks import Mapped, SourceFile, TextTrack

Track = VideoStream | AudioStream | SubtitleStream


def mappings(**fields: object) -> MediaMappings:
    return MediaMappings.model_validate(fields)


def video(index: int = 0, seconds: float = 100, bitrate: int = 1000) -> VideoStream:
    return VideoStream(index, "h264", 640, 360, "25/1", seconds, None, bitrate)


def audio(index: int = 1, language: str | None = "eng") -> AudioStream:
    return AudioStream(index, "aac", 2, language, 100.0)


def decided(files: dict[str, list[Track]], **fields: object) -> Mapped:
    section = mappings(**fields)
    return decide(
        [
            Candidate(
                SourceFile(name, f"source/{name}", 9),
                Names(section).claims(name),
                None if name.endswith((".vtt", ".srt")) else Probe("", 100, tracks),
            )
            for name, tracks in files.items()
        ],
        section,
    )


def chosen(files: dict[str, list[Track]], **fields: object) -> tuple[str, int] | None:
    best = decided(files, FailOnNoAudioTracks=False, **fields).video
    return (best.file.name, best.index) if best else None


def languages(files: dict[str, list[Track]], **fields: object) -> list[str]:
    return [track.language for track in decided(files, **fields).audio]


def test_a_minute_longer_wins_over_any_bitrate() -> None:
    files: dict[str, list[Track]] = {"a.mp4": [video(seconds=100, bitrate=9000)], "b.mp4": [video(seconds=160)]}
    assert chosen(files) == ("b.mp4", 0)


def test_less_than_a_minute_longer_loses_to_bitrate() -> None:
    files: dict[str, list[Track]] = {"a.mp4": [video(seconds=159.9)], "b.mp4": [video(bitrate=1001)]}
    assert chosen(files) == ("b.mp4", 0)


def test_only_rivals_of_the_longest_count() -> None:
    files: dict[str, list[Track]] = {
        "a.mp4": [video(seconds=100, bitrate=3000)],
        "b.mp4": [video(seconds=150, bitrate=2000)],
        "c.mp4": [video(seconds=200, bitrate=1000)],
    }
    assert chosen(files) == ("b.mp4", 0)


def test_of_equal_videos_the_first_wins_also_inside_of_a_file() -> None:
    assert chosen({"a.mp4": [video(0), video(1)], "b.mp4": [video(0)]}) == ("a.mp4", 0)
    assert chosen({"a.mp4": [video(0), video(1, bitrate=1001)]}) == ("a.mp4", 1)


def test_only_files_that_the_expression_finds_are_videos() -> None:
    files: dict[str, list[Track]] = {"trailer.mp4": [video(seconds=900)], "movie.mp4": [video()]}
    assert chosen(files, VideoStreamExpression="^movie") == ("movie.mp4", 0)


def test_sound_comes_from_the_videos_container_and_from_audio_files() -> None:
    mapped = decided(
        {
            "audio-de.m4a": [audio(0, None)],
            "movie.mp4": [video(), audio(1, "eng"), audio(2, "fra")],
            "other.mp4": [video(bitrate=1), audio(1, "spa")],
        },
        AudioFileLanguageExpression="audio-(?<lang>..)",
    )
    assert [(track.file.name, track.index, track.language) for track in mapped.audio] == [
        ("movie.mp4", 1, "en"),
        ("movie.mp4", 2, "fr"),
        ("audio-de.m4a", 0, "de"),
    ]


def test_a_silent_video_is_heard_by_its_audio_files() -> None:
    files: dict[str, list[Track]] = {"movie.mp4": [video()], "de.m4a": [audio(0, None)], "fr.m4a": [audio(0, None)]}
    assert languages(files, AudioFileLanguageExpression="^(..)[.]") == ["de", "fr"]


def test_descriptive_sound_is_marked() -> None:
    mapped = decided(
        {"movie.mp4": [video(), audio()], "ad-en.m4a": [audio(0)]},
        DescriptiveAudioFileLanguageExpression="ad-(?<lang>..)",
    )
    assert [track.descriptive for track in mapped.audio] == [False, True]


@pytest.mark.parametrize("beside", [[], [video(bitrate=1)]], ids=["sound", "picture"])
def test_sound_of_a_file_that_is_said_to_describe_does_so_whatever_else_it_holds(beside: list[Track]) -> None:
    files: dict[str, list[Track]] = {"movie.mp4": [video(), audio()], "movie-ad.mp4": [*beside, audio()]}
    rules = {"DescriptiveAudioFileLanguageExpression": r"-ad\.mp4$"}
    assert [track.descriptive for track in decided(files, **rules).audio] == [False, True]
    del files["movie.mp4"]
    assert [track.descriptive for track in decided(files, FailOnNoVideoTracks=False, **rules).audio] == [True]


def test_the_name_speaks_for_an_only_track() -> None:
    rules = {"VideoStreamExpression": "movie", "AudioFileLanguageExpression": "_(?<lang>..)[.]"}
    assert languages({"movie_de.mp4": [video(), audio(1, "eng")]}, **rules) == ["de"]


def test_several_tracks_speak_for_themselves_first() -> None:
    rules = {"VideoStreamExpression": "movie", "AudioFileLanguageExpression": "_(?<lang>..)[.]"}
    tracks: list[Track] = [video(), audio(1, "eng"), audio(2, "und"), audio(3, None)]
    assert languages({"movie_de.mp4": tracks}, **rules) == ["en", "de", "de"]


@pytest.mark.parametrize("tag", [None, "und", "", "???", "x" * 10_000, "en" * 5_000])
def test_the_fallback_speaks_for_the_rest(tag: str | None) -> None:
    assert languages({"movie.mp4": [video(), audio(1, tag)]}, FallbackLanguageCode="swe") == ["sv"]


def test_without_fallback_a_missing_language_names_file_and_track() -> None:
    with pytest.raises(AcquisitionError, match=r"track 1 of the file 'movie\.mp4' has no language"):
        languages({"movie.mp4": [video(), audio(1, None)]}, FallbackLanguageCode=None)
    with pytest.raises(AcquisitionError, match=r"the file 'sub\.vtt' has no language"):
        decided(
            {"movie.mp4": [video(), audio()], "sub.vtt": []},
            FallbackLanguageCode=None,
            SubtitleFileLanguageExpression="sub",
        )


def test_text_files_become_subtitles_and_captions() -> None:
    mapped = decided(
        {"movie.mp4": [video(), audio()], "cc-de.srt": [], "sub-fr.vtt": []},
        SubtitleFileLanguageExpression="-(?<lang>..)",
        CaptionFileLanguageExpression="cc-(?<lang>..)",
    )
    assert mapped.text == [
        TextTrack(SourceFile("cc-de.srt", "source/cc-de.srt", 9), "de", "SRT", caption=True),
        TextTrack(SourceFile("sub-fr.vtt", "source/sub-fr.vtt", 9), "fr", "WebVTT"),
    ]


def text(index: int, codec: str = "subrip", language: str | None = "eng", *, impaired: bool = False) -> SubtitleStream:
    return SubtitleStream(index, codec, language, impaired)


def texts(files: dict[str, list[Track]], **fields: object) -> list[tuple[str, int | None, str, str, bool]]:
    found = decided(files, **fields).text
    return [(track.file.name, track.index, track.language, track.format, track.caption) for track in found]


def test_text_tracks_of_the_video_are_used_and_pictures_of_text_are_not() -> None:
    tracks: list[Track] = [
        video(),
        audio(),
        text(2),
        text(3, "mov_text", "ger", impaired=True),
        text(4, "dvd_subtitle"),
    ]
    files: dict[str, list[Track]] = {
        "movie.mkv": [*tracks, text(5, "ass", None)],
        "other.mkv": [video(bitrate=1), text(1)],
    }
    assert texts(files) == [
        ("movie.mkv", 2, "en", "SRT", False),
        ("movie.mkv", 3, "de", "MovText", True),
        ("movie.mkv", 5, "en", "ASS", False),
    ]
    assert texts(files, SubtitleLanguages=["fr"], CaptionLanguages=["fr"]) == []
    with pytest.raises(AcquisitionError, match=r"track 5 of the file .* has no language"):
        texts(files, FallbackLanguageCode=None)


def test_a_text_file_replaces_tracks_of_its_kind_and_language() -> None:
    files: dict[str, list[Track]] = {
        "movie.mkv": [video(), audio(), text(2), text(3, impaired=True), text(4, language="ger")],
        "sub-en.vtt": [],
    }
    rules = {"SubtitleFileLanguageExpression": "sub-(?<lang>..)"}
    found = [(name, index) for name, index, *_ in texts(files, **rules)]
    assert found == [("sub-en.vtt", None), ("movie.mkv", 3), ("movie.mkv", 4)]
    with pytest.raises(AcquisitionError, match=r"track 2 .* plays no part"):
        decided(files, FailOnIgnoredTracks=True, **rules)


def test_embedded_text_counts_for_the_rules_of_missing_text() -> None:
    files: dict[str, list[Track]] = {"movie.mkv": [video(), audio(), text(2, impaired=True)]}
    decided(files, FailOnNoCaptionTracks=True, FailOnIgnoredTracks=True)
    with pytest.raises(AcquisitionError, match="no subtitle track"):
        decided(files, FailOnNoSubtitleTracks=True)


def mono(index: int, seconds: float = 100, channels: int = 1) -> AudioStream:
    return AudioStream(index, "pcm_s24le", channels, None, seconds)


def joins(*mappings: tuple[list[int], str]) -> dict[str, object]:
    listed = [{"TrackIndices": indices, "Language": language} for indices, language in mappings]
    return {"AudioMappings": {"VideoStreamAudioTracks": listed}}


BROADCAST: dict[str, list[Track]] = {
    "movie.mxf": [video(), *(mono(n) for n in range(1, 8)), mono(8, 99.5), mono(9)],
    "audio-fr.wav": [audio(0, None)],
}


def test_mono_tracks_are_joined_and_the_others_of_that_file_ignored() -> None:
    rules = {"AudioFileLanguageExpression": "-(?<lang>..)", **joins(([7, 8], "de"), ([1, 2, 3, 4, 5, 6], "eng"))}
    german, english, french = decided(BROADCAST, **rules).audio
    assert (german.language, german.channels, german.duration, german.index) == ("de", 2, 100, 7)
    assert [(stream.index, stream.duration) for stream in german.mono] == [(7, 100), (8, 99.5)]
    assert (english.language, english.channels, english.indices) == ("en", 6, [1, 2, 3, 4, 5, 6])
    assert (french.file.name, french.indices) == ("audio-fr.wav", [0])
    with pytest.raises(AcquisitionError, match=r"track 9 of the file 'movie\.mxf' plays no part"):
        decided(BROADCAST, FailOnIgnoredTracks=True, **rules)
    assert len(decided(BROADCAST, AudioLanguages=["de"], **rules).audio) == 1


def test_a_join_of_a_track_that_is_not_there_is_refused() -> None:
    field = r"MediaMappings\.AudioMappings\.VideoStreamAudioTracks\[1\]\.TrackIndices"
    with pytest.raises(AcquisitionError, match=rf"{field} names audio track 10, and the file 'movie\.mxf' has 9"):
        decided(BROADCAST, **joins(([1, 2], "en"), ([9, 10], "en")))


def test_only_mono_tracks_are_joined() -> None:
    with pytest.raises(AcquisitionError, match=r"\[0\].*audio track 2 of the file 'a\.mp4', which has 2 channels"):
        decided({"a.mp4": [video(), mono(1), mono(2, channels=2)]}, **joins(([1, 2], "en")))


def test_by_convention_everything_finds_its_part() -> None:
    mapped = decided(
        {
            "audio-de-ad.m4a": [audio(0, None)],
            "audio-de.mp4": [audio(0, None)],
            "cc-en.vtt": [],
            "movie-en.mp4": [video(), audio(1, None)],
            "subtitle_pt-BR.srt": [],
            "trailer-it.mp4": [video(bitrate=1), audio(1, None)],
        },
        MediaDetection="Convention",
    )
    assert mapped.video
    assert mapped.video.file.name == "movie-en.mp4"
    assert [(track.file.name, track.language, track.descriptive) for track in mapped.audio] == [
        ("movie-en.mp4", "en", False),
        ("audio-de.mp4", "de", False),
        ("audio-de-ad.m4a", "de", True),
    ]
    assert [(track.language, track.caption) for track in mapped.text] == [("en", True), ("pt-BR", False)]


def test_a_described_track_of_the_container_comes_last() -> None:
    described = replace(audio(1), descriptive=True)
    mapped = decided({"movie.mp4": [video(), described, audio(2)]})
    assert [(track.index, track.descriptive) for track in mapped.audio] == [(2, False), (1, True)]


@pytest.mark.parametrize("track", [audio(1), text(1)], ids=["audio", "text"])
def test_a_container_of_500_tracks_is_refused(track: Track) -> None:
    tracks: list[Track] = [video(), audio(), *(replace(track, index=n) for n in range(2, 500))]
    with pytest.raises(AcquisitionError, match=r"at most 100 can.*AudioLanguages"):
        decided({"movie.mp4": tracks})


def test_only_the_asked_languages_are_kept() -> None:
    mapped = decided(
        {
            "movie.mp4": [video(), audio(1, "eng"), audio(2, "ger")],
            "cc-de.srt": [],
            "cc-fr.srt": [],
            "sub-en.vtt": [],
            "sub-fr.vtt": [],
        },
        SubtitleFileLanguageExpression="sub-(?<lang>..)",
        CaptionFileLanguageExpression="cc-(?<lang>..)",
        AudioLanguages=["deu"],
        SubtitleLanguages=["en"],
        CaptionLanguages=["fr"],
    )
    assert [track.language for track in mapped.audio] == ["de"]
    assert [track.file.name for track in mapped.text] == ["cc-fr.srt", "sub-en.vtt"]


@pytest.mark.parametrize(
    ("kind", "tracks", "rules"),
    [
        ("Video", [audio()], {}),
        ("Audio", [video()], {}),
        ("Audio", [video(), audio(1, "eng")], {"AudioLanguages": ["de"]}),
        ("Subtitle", [video(), audio()], {"FailOnNoSubtitleTracks": True}),
        ("Caption", [video(), audio()], {"FailOnNoCaptionTracks": True}),
    ],
)
def test_a_missing_kind_fails_the_job_unless_allowed(kind: str, tracks: list[Track], rules: dict[str, object]) -> None:
    with pytest.raises(AcquisitionError, match=rf"no {kind.lower()} track.*'movie\.mp4'.*FailOnNo{kind}Tracks"):
        decided({"movie.mp4": tracks}, **rules)
    decided({"movie.mp4": tracks}, **rules | {f"FailOnNo{kind}Tracks": False})


def test_sound_without_video_may_be_all() -> None:
    assert languages({"movie.mp4": [audio()]}, FailOnNoVideoTracks=False) == ["en"]


def test_nothing_at_all_is_always_a_failure() -> None:
    with pytest.raises(AcquisitionError, match="nothing to encode"):
        decided({"movie.mp4": []}, FailOnNoVideoTracks=False, FailOnNoAudioTracks=False)


@pytest.mark.parametrize("ignored", [video(2, bitrate=1), SubtitleStream(2, "hdmv_pgs_subtitle", "eng")])
def test_an_ignored_track_fails_the_job_if_asked(ignored: Track) -> None:
    files: dict[str, list[Track]] = {"movie.mp4": [video(), audio(), ignored]}
    decided(files)
    with pytest.raises(AcquisitionError, match=r"track 2 of the file 'movie\.mp4'.*FailOnIgnoredTracks"):
        decided(files, FailOnIgnoredTracks=True)


def test_a_language_that_is_not_kept_is_not_an_ignored_track() -> None:
    tracks: list[Track] = [video(), audio(1, "eng"), audio(2, "ger")]
    assert languages({"movie.mp4": tracks}, FailOnIgnoredTracks=True, AudioLanguages=["de"]) == ["de"]
