import pytest

from activities.mapping.convention import by_convention
from activities.mappings import TEXT_FORMATS, Claim


@pytest.mark.parametrize(
    ("name", "claim"),
    [
        ("movie.mp4", Claim("video")),
        ("season 1/MOVIE.MKV", Claim("video")),
        ("movie-en.mov", Claim("video", "en")),
        ("sound.flac", Claim("audio")),
        ("audio.fr.m4a", Claim("audio", "fr")),
        ("subtitle-en.vtt", Claim("subtitle", "en")),
        ("cc-en.vtt", Claim("caption", "en")),
        ("en.srt", Claim("subtitle", "en")),
    ],
)
def test_the_ending_tells_the_kind_and_the_stem_the_language(name: str, claim: Claim) -> None:
    assert by_convention(name) == [claim]


@pytest.mark.parametrize("ending", TEXT_FORMATS)
def test_every_format_of_text_is_taken(ending: str) -> None:
    assert by_convention(f"movie-de{ending}") == [Claim("subtitle", "de")]


@pytest.mark.parametrize("name", ["notes.txt", "cover.jpg", "mp4", ".mp4", "._movie.mp4", "a/.hidden-en.vtt", "x-en."])
def test_other_and_hidden_files_are_not(name: str) -> None:
    assert by_convention(name) == []


@pytest.mark.parametrize("stem", ["audio-de-ad", "audio.ad.de", "audio_DE_AD", "ad-de", "de-ad"])
def test_ad_in_either_place_is_a_description(stem: str) -> None:
    assert by_convention(f"{stem}.m4a") == [Claim("audio", "de", descriptive=True)]


@pytest.mark.parametrize("stem", ["movie-de-cc", "movie.cc.de", "Movie_CC_DE", "cc-de", "de-cc"])
def test_cc_in_either_place_is_a_caption(stem: str) -> None:
    assert by_convention(f"{stem}.vtt") == [Claim("caption", "de")]


def test_a_mark_needs_no_language_and_counts_for_its_kind_alone() -> None:
    assert by_convention("cc.vtt") == [Claim("caption")]
    assert by_convention("audio-ad.mp3") == [Claim("audio", descriptive=True)]
    assert by_convention("movie-ad-en.vtt") == [Claim("subtitle", "en")]
    assert by_convention("audio-cc-en.mp3") == [Claim("audio", "en")]


@pytest.mark.parametrize(
    ("stem", "language"),
    [
        ("movie_pt-BR", "pt-BR"),
        ("movie.pt_br", "pt-BR"),
        ("movie-zh-Hant", "zh-Hant"),
        ("movie-zh_hant_TW", "zh-Hant-TW"),
        ("movie.es-419", "es-419"),
        ("movie.ger", "de"),
        ("movie-FRE", "fr"),
        ("movie-yue", "yue"),
        ("trailer-it", "it"),
    ],
)
def test_codes_of_all_kinds(stem: str, language: str) -> None:
    assert by_convention(f"{stem}.srt") == [Claim("subtitle", language)]


NO_CODES = ["movie-hd", "movie-mix", "movie.sdh", "sub", "take.the", "ep-no-001", "ad-astra", "movieen", "en-movie"]


@pytest.mark.parametrize("stem", [*NO_CODES, "movie.und", "-", "fr/movie", "movie en", "movie-en\n"])
def test_what_is_no_code_at_the_end_is_none(stem: str) -> None:
    assert by_convention(f"{stem}.m4a") == [Claim("audio")]


def test_a_video_that_is_called_like_a_language_has_a_title() -> None:
    assert by_convention("it.mp4") == [Claim("video")]


def test_names_without_end_take_no_time() -> None:
    # Looking at all of it would take minutes.
    assert by_convention("-en" * 1_000_000 + ".vtt") == [Claim("subtitle", "en")]
