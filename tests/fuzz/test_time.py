"""A megabyte of anything takes seconds: no parser's time grows with the square of what it is given."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from activities.drm import cpix
from activities.drm.key import DrmError
from activities.errors import AcquisitionError
from activities.languages import canonical
from activities.mapping.convention import by_convention
from activities.storage.base import StorageError
from activities.storage.ftps.listing import LONGEST_LINE, machine_listing, unix_listing
from activities.storage.http.pages import NoListing, links
from activities.storage.s3.address import Folder
from activities.text import TextFile, to_webvtt
from tests.fuzz.jobs import JOB
from tests.fuzz.trying import LONG, within
from workflows.job import InvalidJob, Job

MEGABYTE = 1 << 20
SIZE = MEGABYTE if LONG in os.environ else MEGABYTE >> 7
"""Characters of each input."""
SECONDS = 8.0
"""Of a processor that others use as well. What takes longest takes a second or two."""

MARKUP = ("<", "</", "<!", "<!--", "<![CDATA[", "<?", "<a ", "<a href='x", '<a href="x">', "<p>", "&", "&#", "{\\an")
CUES = (
    "-->",
    "7\n",
    "00:00:01,000 --> ",
    "00:00:00.000 --> 00:00:09.000\n",
    "00:00:00,000 --> 99:00:00,000\na\n\n",
    "STYLE\n\n",
)
PLAIN = ("\n", " ", "0", "a", "\0", "漢", "../", "%2e", "-en", " 1 a")


def subtitles(kind: str, head: str = "", tail: str = "") -> Callable[[str, Path], object]:
    def convert(text: str, folder: Path) -> object:
        (folder / "file").write_text(f"{head}{text}{tail}")
        return to_webvtt(TextFile(folder / "file", "the name", kind))

    return convert


def lines(reader: Callable[[Any], Any]) -> Callable[[str, Path], object]:
    """A listing, in lines as long as they can be."""
    return lambda text, _: [*reader(text[at : at + LONGEST_LINE] for at in range(0, len(text), LONGEST_LINE))]


TARGETS: dict[str, Callable[[str, Path], object]] = {
    "SRT": subtitles("SRT", "00:00:01,000 --> 00:00:02,000\n"),
    "SRT time": subtitles("SRT", "00:00:01,000 --> 00:00:02,000", f"{'x' * 501}\na\n"),
    "WebVTT": subtitles("WebVTT", "WEBVTT\n\n"),
    "WebVTT time": subtitles("WebVTT", "WEBVTT\n\n00:01.000 --> 00:02.000", f"{'x' * 501}\na\n"),
    "TTML": subtitles("TTML", "<tt><body><p begin='1s' end='2s'>", "</p></body></tt>"),
    "TTML as it is": subtitles("TTML", "<tt><body><p xml:space='preserve' begin='1s' end='2s'>", "</p></body></tt>"),
    "page": lambda text, _: [*links(f"<title>Index of x</title>{text}", "http://host/in/")],
    "page title": lambda text, _: [*links(f"<h1>{text}", "http://host/in/")],
    "link": lambda text, _: [*links(f"<title>Index of x</title><a href='{text}'>", "http://host/in/")],
    "MLSD": lines(machine_listing),
    "LIST": lines(lambda given: unix_listing(f"-rw-r--r-- 1 {line}" for line in given)),
    "CPIX": lambda text, _: [*cpix.keys(f"<CPIX xmlns='urn:dashif:org:cpix'>{text}".encode(), {}, None)],
    "name": lambda text, _: by_convention(f"{text}.mp4"),
    "language": lambda text, _: canonical(text),
    "job": lambda text, _: Job.parse({**JOB, text: {text: text}, "ExternalId": text, "ContentAcquisition": text}),
    "mappings": lambda text, _: Job.parse({**JOB, "MediaMappings": {"x": [text, *[text[:1000]] * 1000]}}),
    "address": lambda text, _: Folder.on_amazon(f"https://{text[:4000]}.s3.eu-central-1.amazonaws.com/{text[:4000]}"),
    "service": lambda text, _: Folder.on_compatible(f"http://{text[:4000]}.h/x", "http://h"),
}
TEXTS = {
    "SRT": MARKUP + CUES + PLAIN,
    "WebVTT": CUES + PLAIN,
    "TTML": MARKUP + PLAIN,
    "page": MARKUP + PLAIN,
    "CPIX": MARKUP,
}
REFUSALS = (AcquisitionError, StorageError, NoListing, DrmError, InvalidJob, ValueError)


@pytest.mark.parametrize("target", TARGETS)
def test_repetition_is_read_in_time(target: str, tmp_path: Path) -> None:
    for atom in TEXTS.get(target, PLAIN):
        text = atom * (SIZE // len(atom))
        with within(SECONDS * SIZE / MEGABYTE + 1), suppress(*REFUSALS):
            TARGETS[target](text, tmp_path)
