"""A key server that speaks SPEKE v2: no such product can be installed here.

It answers from a seed as real ones do, a key id always yielding the same key, and refuses what the standard forbids. It
proves our requests and our reading against the text of the standard, not against the quirks of a vendor's service.
"""

import base64
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID
from xml.etree.ElementTree import Element, SubElement, tostring

from defusedxml.ElementTree import fromstring

from tests.servers.certificates import Certificates
from tests.servers.http import listening

CPIX, PSKC = "{urn:dashif:org:cpix}", "{urn:ietf:params:xml:ns:keyprov:pskc}"


@dataclass
class KeyServer:
    """What it is and what it was asked."""

    address: str = ""
    tenant: str = "tenant"
    management_key: str = "m4n4gement-key"
    asked: list[Element] = field(default_factory=list)
    """The requests that it took, as they came."""
    failures: list[int] = field(default_factory=list)
    """Statuses of the next answers."""
    answer: bytes | None = None
    """Instead of the right one."""
    seed: bytes = b"seed"
    seed_per_scheme: bool = False

    def key(self, kid: str, scheme: str = "") -> bytes:
        salt = scheme if self.seed_per_scheme else ""
        return sha256(self.seed + salt.encode() + UUID(kid).bytes).digest()[:16]

    def status(self, handler: BaseHTTPRequestHandler) -> int:
        login = base64.b64encode(f"{self.tenant}:{self.management_key}".encode()).decode()
        if self.failures:
            return self.failures.pop(0)
        if handler.headers["Authorization"] != f"Basic {login}":
            return 401
        if handler.path != "/api/SpekeV2":
            return 404
        is_speke = handler.headers["X-Speke-Version"] == "2.0" and handler.headers["Content-Type"] == "application/xml"
        return 200 if is_speke else 422

    def answered(self, body: bytes) -> bytes | None:
        """The request with its gaps filled; None = it is against the standard."""
        root: Element = fromstring(body, forbid_dtd=True)
        if not _is_valid(root):
            return None
        self.asked.append(fromstring(body))
        for element in root.iter(f"{CPIX}ContentKey"):
            secret = SubElement(SubElement(element, f"{CPIX}Data"), f"{PSKC}Secret")
            key = self.key(element.attrib["kid"], element.attrib["commonEncryptionScheme"])
            SubElement(secret, f"{PSKC}PlainValue").text = base64.b64encode(key).decode()
        for system in root.iter(f"{CPIX}DRMSystem"):
            _fill(system)
        document: bytes = tostring(root)
        return document if self.answer is None else self.answer


def _is_valid(root: Element) -> bool:
    keys = root.findall(f"{CPIX}ContentKeyList/{CPIX}ContentKey")
    rules = root.findall(f"{CPIX}ContentKeyUsageRuleList/{CPIX}ContentKeyUsageRule")
    kids = [key.get("kid") for key in keys]
    types = [rule.get("intendedTrackType") for rule in rules]
    return (
        root.tag == f"{CPIX}CPIX"
        and root.get("version") == "2.3"
        and bool(root.get("contentId"))
        and len({key.get("commonEncryptionScheme") for key in keys}) == 1
        and [rule.get("kid") for rule in rules] == kids
        and len(set(types)) == len(types)
        and all(len(rule) for rule in rules)
        and {system.get("kid") for system in root.iter(f"{CPIX}DRMSystem")} == set(kids)
    )


def _fill(system: Element) -> None:
    kid, owner = UUID(system.attrib["kid"]), UUID(system.attrib["systemId"])
    for element in system:
        if element.tag == f"{CPIX}PSSH":
            element.text = base64.b64encode(pssh(owner, kid)).decode()
        elif element.tag == f"{CPIX}HLSSignalingData":
            tag = "EXT-X-KEY" if element.get("playlist") == "media" else "EXT-X-SESSION-KEY"
            text = f'#{tag}:METHOD=SAMPLE-AES,URI="{uri(kid)}",KEYFORMAT="com.apple.streamingkeydelivery"'
            element.text = base64.b64encode(text.encode()).decode()


def pssh(system: UUID, kid: UUID) -> bytes:
    """A box with data that no packager would make."""
    data = b"key server's own: " + kid.bytes
    return struct.pack(">I4sI16sI", 32 + len(data), b"pssh", 0, system.bytes, len(data)) + data


def uri(kid: UUID) -> str:
    return f"skd://key-server/{kid}"


@contextmanager
def key_server(certificates: Certificates | None = None) -> Iterator[KeyServer]:
    """Runs inside the block: over TLS where there are certificates."""
    server = KeyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = server.status(self)
            answer = server.answered(body) if status == 200 else b""
            self.send_response(422 if answer is None else status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(answer or b"")

        def log_message(self, *_: Any) -> None: ...

    with listening(_made(Handler, certificates)) as port:
        server.address = f"{'https' if certificates else 'http'}://127.0.0.1:{port}/api"
        yield server


def _made(handler: type[BaseHTTPRequestHandler], certificates: Certificates | None) -> ThreadingHTTPServer:
    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None: ...  # a client that does not like our certificate hangs up

    http = Server(("127.0.0.1", 0), handler)
    if certificates:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificates.certificate, certificates.key)
        http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    return http


def thumbprint(certificate: Path) -> str:
    der = ssl.PEM_cert_to_DER_cert(certificate.read_text())
    return sha256(der).hexdigest()
