import pytest

from activities.languages import canonical


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
    ],
)
def test_every_spelling_becomes_one_tag(code: str, tag: str) -> None:
    assert canonical(code) == tag


@pytest.mark.parametrize(
    "code", ["", "und", "mul", "zxx", "und-US", "x1", "subs", "foo", "123", "en-", "日本", "e" * 999]
)
def test_what_is_no_language_has_no_tag(code: str) -> None:
    assert canonical(code) is None
