"""What the WebVTT standard demands of a file, read by its letter and not with the product's reader."""

import re
from dataclasses import dataclass

TIME = r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})"
TIMING = re.compile(rf"{TIME} --> {TIME}((?: [a-z]+:\S+)*)", re.ASCII)
TAG = re.compile(r"<(/?)([a-z]*)[^<>]*>")


@dataclass(frozen=True)
class Shown:
    """One cue; times in milliseconds."""

    start: int
    end: int
    settings: str
    text: str


def cues_of(document: str) -> list[Shown]:
    """All cues of a file that keeps to the rules; fails for any other."""
    head, *blocks = document.removesuffix("\n").split("\n\n")
    assert head == "WEBVTT"
    cues: list[Shown] = []
    for block in blocks:
        first, _, rest = block.partition("\n")
        if re.fullmatch(r"(STYLE|REGION)[ \t]*", first) and "-->" not in block:
            assert not cues, "a style behind a cue"
            assert rest.strip()
        else:
            cues.append(_cue(block))
    assert cues
    starts = [cue.start for cue in cues]
    assert starts == sorted(starts)
    return cues


def _cue(block: str) -> Shown:
    lines = block.split("\n")
    assert all(lines), "an empty line would end it"
    if "-->" not in lines[0]:
        assert not re.match(r"(NOTE|STYLE|REGION)\b", lines[0]), "another block than a cue"
        del lines[0]
    timing = TIMING.fullmatch(lines[0])
    assert timing, lines[0]
    assert len(lines) > 1
    assert "-->" not in "\n".join(lines[1:])
    assert "\0" not in block
    assert "\r" not in block
    start, end = _milliseconds(*timing.groups()[:4]), _milliseconds(*timing.groups()[4:8])
    assert start < end
    return Shown(start, end, timing[9].strip(), "\n".join(lines[1:]))


def _milliseconds(hours: str, minutes: str, seconds: str, thousandths: str) -> int:
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(thousandths)


def check_tags(text: str) -> None:
    """Each is closed, in the order in which they were opened; there is no other sign of markup."""
    opened: list[str] = []
    for closing, name in TAG.findall(text):
        if closing:
            assert opened
            assert opened.pop() == name
        else:
            opened.append(name)
    assert not opened
    assert not set(TAG.sub("", text)) & {"<", ">"}
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)
