"""PAC, the binary format of Screen Electronics and Cavena.

A header of 20 bytes (1, then zeros); then records: type (0; 0xFF ends the file), number, kind, start, end, length of
the rest, row, sometimes three bytes, and lines, each behind 0xFE, its alignment and one more byte. Numbers are
little-endian; a time is two of them, whose decimal digits are HHMM and SSFF. Record 0 is the title, and is not shown.
The file names neither its frame rate nor its code page.
"""

import re
import struct
import unicodedata
from collections.abc import Iterator
from fractions import Fraction

from langcodes import Language

from activities.text.cues import Cue, UnreadableError, escaped

HEADER = bytes([1, *bytes(19)])
RECORD = struct.Struct("<BHB5H")
LINE = 0xFE
END = 0xFF
TITLE = "STORY:"
"""How a title starts that is not record 0."""
UNICODE = re.compile(rb"\x1f\xef\xbb\xbf([^\x2e]{0,1000})\x2e?")
"""A part in UTF-8 ends with a full stop; one inside it is 0xFF."""
WIDE = b"\x1fW16"
CODES = re.compile(rb"\x1fC[0-9]|\x1fR\.[0-9]|[\x00-\x08\x0a-\x12\x15-\x17\x1a\x1b\x1d-\x1f]")
"""Colours, fonts and notes of the editor, none of which WebVTT needs."""
LATIN = dict(
    zip(
        bytes.fromhex("09 13 14 18 19 1c 23 5b 5c 5d 5e 5f 7b 7c 7d 7e 80 81 82 83 85 86 87 88 89 8a 8b 8c 8d 8e 95 96")
        + bytes.fromhex("9a 9b 9c 9d 9e a6 a7 a8 a9 aa ab ac ad ae b1 b3 b5 ba bb bc c0 c1 d2 d4 ff"),
        " \u2013\u2014\u2018\u2019“£¤ÆØ÷\u2013\u0131æø§#ß²³ŧŦþÞð«»ĐŋŊĦħŒ¢Ł¥€ªº¿°¾½¼¡đ±³µœ»ł[]®© ",
        strict=True,
    )
)
"""Bytes that are not what they are in ASCII."""
ACCENTS = dict(
    zip(
        range(0xE0, 0xED), "\u0303\u030a\u0301\u0300\u0302\u0308\u0327\u030c\u0307\u0304\u0306\u0328\u030b", strict=True
    )
)
"""Bytes in front of the letter that they belong to."""
BREVE = set("AaGg")
"""With the byte of the caron, these letters mean a breve: Romanian and Turkish."""
MOST_UNKNOWN = 0.02
TOP, MIDDLE = 5, 9
"""Rows, of twelve, before which a cue is at the top or in the middle."""
ALIGNMENTS = {0: "align:right", 1: "align:left"}
ITALIC = re.compile(r"&lt;([^\n]*?)(?:&gt;|$)", re.MULTILINE)


def read(data: bytes, frame_rate: Fraction, language: str) -> list[Cue]:
    """Every cue.

    Raises:
        UnreadableError: it is no PAC file, or is in another code page than Latin and UTF-8.
    """
    if not data.startswith(HEADER):
        raise UnreadableError("it does not start as PAC does")
    records = [*_records(data)]
    _check_code_page([payload for *_, payload in records], language)
    cues = (_cue(start, end, payload, frame_rate) for start, end, payload in records)
    return [cue for cue in cues if not cue.text.startswith(TITLE)]


def _records(data: bytes) -> Iterator[tuple[tuple[int, int], tuple[int, int], bytes]]:
    place = len(HEADER)
    while place + RECORD.size <= len(data):
        kind, number, _, *times, length = RECORD.unpack_from(data, place)
        place += RECORD.size
        if kind == END:
            return
        if kind or place + length > len(data):
            raise UnreadableError(f"it is damaged at byte {place - RECORD.size}")
        payload = data[place : place + length]
        place += length
        if number and LINE in payload[1:]:
            yield (times[0], times[1]), (times[2], times[3]), payload


def _check_code_page(payloads: list[bytes], language: str) -> None:
    if any(WIDE in payload for payload in payloads):
        raise UnreadableError("it is in a two-byte code page; supported are Latin and UTF-8")
    text = b"".join(payload[payload.index(LINE, 1) :] for payload in payloads)
    script = Language.get(language).maximize().script or "Latn"
    if script != "Latn" and not UNICODE.search(text):
        raise UnreadableError(
            f"its language {language!r} is written in {script}, of which the code page is not supported; "
            "supported are Latin and UTF-8"
        )
    plain = UNICODE.sub(b"", text)
    known = {*range(0x80), *LATIN, *ACCENTS, LINE}
    if sum(byte not in known for byte in plain) > MOST_UNKNOWN * len(plain):
        raise UnreadableError("it is in a code page that is not supported; supported are Latin and UTF-8")


def _cue(start: tuple[int, int], end: tuple[int, int], payload: bytes, frame_rate: Fraction) -> Cue:
    first = payload.index(LINE, 1)
    row, alignment = payload[0], payload[first + 1] & 7 if first + 1 < len(payload) else 2
    vertical = "line:0" if row < TOP else "line:45%" if row < MIDDLE else ""
    lines = (_line(part[2:]) for part in payload[first + 1 :].split(bytes([LINE])))
    settings = f"{vertical} {ALIGNMENTS.get(alignment, '')}".strip()
    return Cue(_milliseconds(*start, frame_rate), _milliseconds(*end, frame_rate), _italic("\n".join(lines)), settings)


def _milliseconds(hhmm: int, ssff: int, frame_rate: Fraction) -> int:
    seconds = hhmm // 100 * 3600 + hhmm % 100 * 60 + ssff // 100
    return round(1000 * (seconds + ssff % 100 / frame_rate))


def _line(data: bytes) -> str:
    made, end = [], 0
    for match in UNICODE.finditer(data):
        made += [_latin(data[end : match.start()]), match[1].replace(b"\xff", b".").decode(errors="replace")]
        end = match.end()
    return "".join([*made, _latin(data[end:])]).strip()


def _latin(data: bytes) -> str:
    made, accent = [], ""
    for byte in CODES.sub(b"", data):
        if byte in ACCENTS:
            accent = ACCENTS[byte]
            continue
        letter = LATIN.get(byte, chr(byte) if chr(byte).isascii() else "")
        if accent and letter in BREVE and accent == ACCENTS[0xE7]:
            accent = ACCENTS[0xEA]
        made.append(unicodedata.normalize("NFC", letter + accent) if letter.strip() else letter)
        accent = ""
    return "".join(made)


def _italic(text: str) -> str:
    """What stands between `<` and `>`, or behind `<` to the end of its line."""
    return ITALIC.sub(r"<i>\1</i>", escaped(text)).replace("</i>\n<i>", "\n")
