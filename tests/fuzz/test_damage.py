"""Sound files and answers, damaged by seeds: each is read, or refused by the error that is documented for it."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload

from activities.drm import cpix
from activities.drm.key import DrmError
from activities.media.ffmpeg import _Progress
from activities.media.probe import ProbeError, parse
from activities.storage.base import StorageError, inside
from activities.storage.ftps.listing import Listed, machine_listing, unix_listing
from activities.storage.http.pages import NoListing, links
from activities.store.kept import Kept, KeptFile, read, written
from activities.text import pac, srt, webvtt
from activities.text.cues import UnreadableError, document
from activities.text.encodings import decoded
from activities.text.ttml import Document
from tests.activities.fuzzing import mutated
from tests.fuzz.jobs import JOB, OTHER
from tests.fuzz.test_keys import IV, KIDS, answered_document
from tests.fuzz.test_media import PROBED
from tests.fuzz.test_text import HEAD, record
from tests.fuzz.trying import LONG, check_told, times
from tests.fuzz.webvtt_rules import check_tags, cues_of
from workflows.codec import Encryption
from workflows.job import InvalidJob, Job

COUNT = 1000 * times() if LONG in os.environ else 40
"""Damages of each: they cost less than what is made up from nothing."""
FILM = 100_000
LONGEST_TEXT = 15_000
"""Characters of an error: a job may have fifty problems, and a problem a name of two hundred characters."""
TTML = (
    f'<tt ttp:frameRate="25" xmlns:ttp="p" xmlns:tts="t">{HEAD}<body timeContainer="seq"><div><p begin="1s" '
    'end="00:00:02:12" region="r" style="a">x<br/><span tts:fontStyle="italic" dur="30f">y</span></p></div></body></tt>'
)
VTT = "WEBVTT\n\nSTYLE\n::cue(.a) {}\n\nid\n00:01.000 --> 00:02.000 line:10%,start align:middle\n<v A>a\n\nNOTE x\n"
SRT = "1\n00:00:01,000 --> 00:00:02,000\n{\\an8}<i>a</i> &amp; <b>x\n\n2\n00:00:03.5-->00:00:04,5\n7\n"
PAC = pac.HEADER + record(([0, 100, 0, 300], b"word <it> \x1f\xef\xbb\xbf\xc3\xa4.", False)) * 2
PAGE = '<title>Index of /in</title><a href="../">..</a><a href="x%20y.mp4">x</a><a href="/in/put/s/">s</a>'
MLSD = "type=file;size=5; x.mp4\ntype=dir;UNIX.mode=0755; folder\ntype=OS.unix=slink:/x;unique=1g1; link\n"
LIST = "total 5\n-rw-r--r-- 1 me us 12 Nov 26 20:00 a b\nlrwxrwxrwx 1 a b 5 Jan 1 2026 x -> y\n"
PROGRESS = "frame=12\nout_time_us=480000\nprogress=continue\nout_time_us=-5\nout_time_us=N/A\nout_time_us=960000\n"
NOTE = written(Kept({"video/1.mp4": KeptFile("video/1.mp4", 5, "00" * 32, "etag")}, "5 etag movie.mp4"))


def _as_text(data: bytes) -> str:
    return decoded(data, "und").replace("\r\n", "\n").replace("\r", "\n")


def _srt(data: bytes) -> None:
    for cue in cues_of(document(srt.read(_as_text(data)), FILM)):
        check_tags(cue.text)


def _webvtt(data: bytes) -> None:
    cues, head = webvtt.read(_as_text(data))
    assert len(cues_of(document(cues, FILM, head))) <= len(cues)


def _ttml(data: bytes) -> None:
    made = Document(_as_text(data), Fraction(25))
    for cue in cues_of(document(made.cues, FILM, made.head)):
        check_tags(cue.text)


def _pac(data: bytes) -> None:
    for cue in cues_of(document(pac.read(data, Fraction(25), "und"), FILM)):
        check_tags(cue.text)


def _page(data: bytes) -> None:
    for link in links(data.decode(errors="replace"), "http://host/in/put/"):
        assert "\0" not in link.name
        assert link.unusable or inside(link.name)


def _listing(reader: Callable[[list[str]], Iterator[Listed]]) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        found = reader(data.decode(errors="surrogateescape").split("\n"))
        assert all(listed.name not in ("", ".", "..") and listed.size >= -1 for listed in found)

    return check


def _keys(data: bytes) -> None:
    assert [key.key_id for key in cpix.keys(data, KIDS, IV)] == [*KIDS.values()]


def _note(data: bytes) -> None:
    if found := read(data):
        assert all(inside(path) and inside(file.object) for path, file in found.files.items())


def _progress(data: bytes) -> None:
    seen: list[float] = []
    progress = _Progress(seen.append)
    for line in data.decode(errors="replace").split("\n"):
        progress.read(line)
    assert seen == sorted(seen)


def _probe(data: bytes) -> None:
    with suppress(ValueError, KeyError, ArithmeticError):
        document_ = json.loads(data)
        with suppress(TypeError, AttributeError):  # of a form that ffprobe does not give
            parse(document_)


def _job(data: bytes) -> None:
    try:
        description: Any = json.loads(data)
    except (ValueError, RecursionError):
        return
    Job.parse(description)


def _payload(data: bytes) -> None:
    with suppress(ValueError):
        payload = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": data[:8]}, data=data)
        Encryption([b"k" * 32])._decrypted(payload)


REFUSALS = (UnreadableError, StorageError, DrmError, ProbeError, InvalidJob)
TARGETS: dict[str, tuple[bytes, Callable[[bytes], None]]] = {
    "SRT": (SRT.encode(), _srt),
    "WebVTT": (VTT.encode("utf-16"), _webvtt),
    "TTML": (TTML.encode(), _ttml),
    "PAC": (PAC, _pac),
    "page": (PAGE.encode(), _page),
    "MLSD": (MLSD.encode(), _listing(machine_listing)),
    "LIST": (LIST.encode(), _listing(unix_listing)),
    "CPIX": (answered_document(), _keys),
    "note": (NOTE, _note),
    "progress": (PROGRESS.encode(), _progress),
    "ffprobe": (json.dumps(PROBED).encode(), _probe),
    "job": (json.dumps(JOB).encode(), _job),
    "other job": (json.dumps(OTHER).encode(), _job),
    "payload": (bytes(60), _payload),
}


@pytest.mark.parametrize("target", TARGETS)
def test_damage_is_read_or_told(target: str) -> None:
    sound, read_ = TARGETS[target]
    read_(sound)
    for seed in range(COUNT):
        try:
            read_(mutated(sound, seed))
        except NoListing:
            continue  # who has asked knows what for
        except REFUSALS as error:
            check_told(error, most=LONGEST_TEXT)
        except Exception as error:
            error.add_note(f"{target}, seed {seed}: {mutated(sound, seed)!r}")
            raise
