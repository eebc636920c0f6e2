"""Files that call themselves a film and lead a reader elsewhere: to another file, or to a host."""

import struct
from collections.abc import Callable
from pathlib import Path

Disguise = Callable[[Path, str], bytes]
"""Takes a file and the address of a server, both of which nobody may open."""


def hls(secret: Path, url: str) -> bytes:
    segments = "".join(
        f"#EXTINF:1,\n{target}\n" for target in (secret, f"file:{secret}", f"{url}/x.ts", f"concat:{secret}")
    )
    return f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="{secret}"\n{segments}#EXT-X-ENDLIST\n'.encode()


def hls_master(secret: Path, url: str) -> bytes:
    variants = "".join(f"#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n" for target in (secret, f"{url}/a.m3u8"))
    return f"#EXTM3U\n{variants}".encode()


def concat(secret: Path, url: str) -> bytes:
    return f"ffconcat version 1.0\nfile '{secret}'\nfile '{url}/x.mp4'\n".encode()


def dash(secret: Path, url: str) -> bytes:
    bases = "".join(
        f'<AdaptationSet mimeType="video/mp4"><Representation id="{n}" bandwidth="1"><BaseURL>{target}</BaseURL>'
        "</Representation></AdaptationSet>"
        for n, target in enumerate((secret, f"{url}/x.mp4"))
    )
    head = '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S">'
    return f'<?xml version="1.0"?>{head}<Period>{bases}</Period></MPD>'.encode()


def sdp(_: Path, url: str) -> bytes:
    port = url.rpartition(":")[2]
    return f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {port} RTP/AVP 96\n".encode()


def imf(secret: Path, url: str) -> bytes:
    chunks = "".join(f'<Chunk><Path type="file">{target}</Path></Chunk>' for target in (secret, f"{url}/x.mxf"))
    return f'<?xml version="1.0"?><AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM">{chunks}</AssetMap>'.encode()


def smooth(secret: Path, url: str) -> bytes:
    return f'<asx version="3.0"><entry><ref href="{secret}"/><ref href="{url}/x.asf"/></entry></asx>'.encode()


def reference(secret: Path, url: str) -> bytes:
    """A reference movie of QuickTime: nothing but addresses."""
    targets = [f"file://{secret}".encode() + b"\0", f"{url}/x.mov".encode() + b"\0"]
    movies = b"".join(
        box(b"rmda", box(b"rdrf", bytes(4) + b"url " + struct.pack(">I", len(target)) + target)) for target in targets
    )
    return box(b"ftyp", b"qt  " + bytes(4) + b"qt  ") + box(b"moov", box(b"rmra", movies))


def image_pattern(*_: object) -> bytes:
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(200) + b"\xff\xd9"


DISGUISES: dict[str, Disguise] = {
    "HLS": hls,
    "HLS master": hls_master,
    "ffconcat": concat,
    "DASH": dash,
    "SDP": sdp,
    "IMF": imf,
    "ASX": smooth,
    "QuickTime reference movie": reference,
    "image sequence": image_pattern,
}


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def elsewhere(film: bytes, secret: Path) -> bytes:
    """A film of QuickTime whose samples are in another file, as an alias in its `dref` says.

    Its index has to stand behind its pictures: it grows.
    """
    old = box(b"dref", bytes(4) + struct.pack(">I", 1) + box(b"url ", struct.pack(">I", 1)))
    new = box(b"dref", bytes(4) + struct.pack(">I", 1) + box(b"alis", bytes(4) + _alias(secret)))
    assert old in film
    changed = film.replace(old, new)
    grown = len(new) - len(old)
    for name, depth in ((b"dinf", 1), (b"minf", 1), (b"mdia", 1), (b"trak", 1)):
        changed = _resized(changed, name, depth * grown)
    return _resized(changed, b"moov", film.count(old) * grown)


def _alias(target: Path) -> bytes:
    """A record of a Macintosh: volume, name, no relative way, and the whole path."""
    volume, name, path = b"\x04root".ljust(28, b"\0"), target.name.encode()[:63], str(target).encode()
    head = bytes(10) + volume + bytes(12) + bytes([len(name)]) + name.ljust(63, b"\0") + bytes(16)
    levels = bytes(4 + 16)
    whole = struct.pack(">HH", 2, len(path)) + path + b"\0" * (len(path) % 2)
    end = struct.pack(">HH", 0xFFFF, 0)
    return head + levels + whole + end


def _resized(content: bytes, name: bytes, by: int) -> bytes:
    """All boxes `name`, larger by so many bytes."""
    changed, start = bytearray(content), content.index(b"moov") - 4
    while (at := changed.find(name, start)) >= 0:
        size = struct.unpack_from(">I", changed, at - 4)[0]
        struct.pack_into(">I", changed, at - 4, size + by)
        start = at + 4
    return bytes(changed)
