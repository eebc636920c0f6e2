"""From bytes to text, whatever encoding a file is in."""

import codecs
import re
from contextlib import suppress

from charset_normalizer import from_bytes
from langcodes import Language

from activities.text.cues import UnreadableError

BOMS = {
    # UTF-32 first: its mark starts like that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
MARKERS = ("-->", "<tt", ":tt ", "<?xml")
"""What every text file of a supported format has; found in UTF-16, it tells the byte order."""
DECLARED = re.compile(rb"""^\s{0,100}<\?xml[^>]{1,200}?encoding\s{0,9}=\s{0,9}["']([\w.-]{1,30})["']""")
START = b"<?xml"
DECLARABLE = re.compile(
    r"utf-?8|(us-)?ascii|iso-?8859-\d+|latin-?1|windows-\d+|cp\d+|koi8-[ru]|macintosh|"
    r"shift[-_]jis|euc-(jp|kr)|gb(2312|k|18030)|big5"
)
"""Python knows more names, and some of them take quadratic time."""
LEGACY = {
    "cp1250": "bs cs hr hu pl ro sk sl sq",
    "cp1251 koi8_r": "be bg mk ru sr uk",
    "cp1253": "el",
    "cp1254": "az tr",
    "cp1255": "he",
    "cp1256": "ar fa ur",
    "cp1257": "et lt lv",
    "cp1258": "vi",
    "cp874": "th",
    "cp932 euc_jp": "ja",
    "gb18030 big5": "zh",
    "cp949": "ko",
}
"""Encodings of the time before Unicode: languages."""
SAMPLE = 16_000
"""Bytes that are looked at closely."""
GOOD_PER_BAD = 10
MOST_CONTROLS = 0.01


def decoded(data: bytes, language: str = "und") -> str:
    """The text without its byte order mark. `language` decides where several encodings are possible.

    Raises:
        UnreadableError: it is no text.
    """
    text = _decoded(data, language).removeprefix("\ufeff")
    controls = sum(text.count(chr(number)) for number in (*range(1, 9), *range(14, 32)))
    if controls > len(text) * MOST_CONTROLS:
        raise UnreadableError("it is not text")
    return text


def _decoded(data: bytes, language: str) -> str:
    if encoding := _evident(data):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError as error:
            raise UnreadableError(f"it starts as {encoding}, but breaks off at byte {error.start}") from None
    for encoding in (_declared(data), "utf-8"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return _damaged(data) or _guessed(data, language)


def _evident(data: bytes) -> str | None:
    """By its mark, else by its zeros."""
    for mark, encoding in BOMS.items():
        if data.startswith(mark):
            return encoding
    wide = ("utf-16-le", "utf-16-be") if b"\0" in data else ()
    return next((name for name in wide if any(_at_even(data, marker.encode(name)) for marker in MARKERS)), None)


def _at_even(data: bytes, marker: bytes) -> bool:
    # At an odd place it is the other byte order.
    return data.find(marker) % 2 == 0


def _declared(data: bytes) -> str:
    match = DECLARED.match(data)
    name = match[1].decode().lower() if match else "utf-8"
    with suppress(LookupError):
        # It was found in ASCII: in UTF-16 or EBCDIC, as it may say, it would look otherwise.
        if DECLARABLE.fullmatch(name) and START.decode().encode(name) == START:
            return name
    return "utf-8"


def _damaged(data: bytes) -> str | None:
    """As UTF-8, if that is what it mostly is."""
    text = data.decode(errors="replace")
    bad = text.count("\N{REPLACEMENT CHARACTER}")
    good = len(text) - len(text.encode("ascii", errors="ignore")) - bad
    return text if good >= GOOD_PER_BAD * bad else None


def _guessed(data: bytes, language: str) -> str:
    sample = b"\n".join(line[:1000] for line in data.splitlines() if not line.isascii())[:SAMPLE]
    spoken = Language.get(language).language
    legacy = next((names.split() for names, spoken_in in LEGACY.items() if spoken in spoken_in.split()), [])
    high = sum(not chr(byte).isascii() for byte in sample)
    letters = sum(chr(byte).isascii() and chr(byte).isalpha() for byte in sample) + high
    names = legacy
    if high * 2 > letters:
        # Mostly other letters than a to z: a script that statistics know well, if the language is not known.
        match = from_bytes(sample, cp_isolation=legacy or None).best() or from_bytes(sample).best()
        names = [match.encoding, *legacy] if match else legacy
    for name in [*names, "cp1252"]:
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")
