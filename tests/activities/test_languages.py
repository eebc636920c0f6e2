import pytest

from activities.languages import canonical, title


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("en", "en"),
        ("ENG", "en"),
        (" eng ", "en"),
        ("ger", "de"),
        ("deu", "de"),
        ("pt_br", "pt-BR"),
        ("zh-hant", "zh-Hant"),
        ("iw", "he"),
        ("sme", "se"),
        ("yue", "yue"),
        ("fre", "fr"),
        ("chi", "zh"),
        ("zho-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("ES_419", "es-419"),
    ],
)
def test_every_spelling_becomes_one_tag(code: str, tag: str) -> None:
    assert canonical(code) == tag


@pytest.mark.parametrize(
    "code", ["", "und", "mul", "zxx", "und-US", "x-klingon", "x1", "subs", "foo", "123", "en-", "日本", "e" * 999]
)
def test_what_is_no_language_has_no_tag(code: str) -> None:
    assert canonical(code) is None


@pytest.mark.parametrize(
    ("tag", "english", "native"),
    [
        ("de", "German", "Deutsch"),
        ("pt-BR", "Portuguese (Brazil)", "português (Brasil)"),
        ("ja", "Japanese", "日本語"),
        ("srt", "Sauri", "Sauri"),
    ],
)
def test_languages_have_a_name_in_english_and_one_of_their_own(tag: str, english: str, native: str) -> None:
    assert (title(tag, native=False), title(tag, native=True)) == (english, native)
