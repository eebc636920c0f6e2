from pathlib import Path

import pytest

from activities.errors import AcquisitionError
from activities.text.encodings import decoded
from tests.activities.text.reading import CUE, Reader

GERMAN, RUSSIAN = "Grüße „fünf“ €", "Привет, как дела? Всё хорошо, спасибо."


@pytest.mark.parametrize(
    ("encoding", "language", "text"),
    [
        *((name, "de", GERMAN) for name in ("utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252")),
        ("cp1250", "pl", "Zażółć gęślą jaźń"),
        ("cp1251", "ru", RUSSIAN),
        ("koi8-r", "ru", RUSSIAN),
        ("cp1251", "en", RUSSIAN),
        ("cp1253", "el", "Καλημέρα κόσμε"),
        ("cp932", "ja", "こんにちは世界。元気ですか"),
        ("big5", "zh", "你好,世界。今天天氣很好"),
    ],
)
def test_an_encoding_is_found(encoding: str, language: str, text: str) -> None:
    assert decoded(CUE.format(text).encode(encoding), language) == CUE.format(text)


def test_a_few_broken_bytes_do_not_make_it_another_encoding() -> None:
    assert decoded(("ü" * 50).encode() + b"\xff") == "ü" * 50 + "\N{REPLACEMENT CHARACTER}"


def test_xml_says_its_encoding() -> None:
    content = '<?xml version="1.0" encoding="iso-8859-7"?><tt>Καλημέρα</tt>'
    assert decoded(content.encode("iso-8859-7")) == content


@pytest.mark.parametrize("declared", ["UTF-16", "cp037", "cp65001", "x"])
def test_a_declaration_that_could_not_be_read_in_its_own_encoding_is_not_believed(declared: str) -> None:
    content = f'<?xml version="1.0" encoding="{declared}"?><tt>Καλημέρα</tt>'
    assert decoded(content.encode()) == content
    assert decoded(content.encode("utf-16-le")) == content


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", bytes(range(256)) * 40, b"\x89PNG\r\n\x1a\n" + bytes(range(20))])
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(AcquisitionError, match="'the name' cannot be read as SRT"):
        Reader(tmp_path, "SRT")(content)
