"""An FTP client for all three schemes, on `ftplib`, that keeps to what servers demand and trusts no more than it must.

- `ftp://` no TLS, `ftpes://` explicit TLS (`AUTH TLS`), `ftps://` implicit TLS; data connections are protected as well.
- Data connections go on with the TLS session of the control connection: strict servers demand it.
- They go to the host that was connected to, whatever address the server's `PASV` answer names.
- A path is relative to the folder in which the server puts the user (RFC 1738); `//` or `%2F` in front makes it
  absolute.
"""

import ftplib
import posixpath
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from publishers.base import PublishError, Refused, Unavailable
from publishers.tls import VARIABLE, verifying

PATIENCE = 10
"""Seconds: to connect, and without an answer."""
PORTS = {"ftp": 21, "ftpes": 21, "ftps": 990}
MAX_REPLY = 200

EXPLAINED = {
    "530": (Refused, "does not accept this user name and password"),
    "331": (Refused, "wants a password"),
    "532": (Refused, "wants an account, which is not supported"),
    "421": (Unavailable, "is closing or takes no more connections"),
    "452": (Unavailable, "has no space left"),
    "552": (Unavailable, "has no space left for this user"),
}
"""What a reply code means in whatever place; other codes of 500 and above are refusals, the rest may pass."""


class Client(ftplib.FTP_TLS):
    """A connection that is logged in."""

    def __init__(self, uri: str, user: str, password: str) -> None:
        parts = urlsplit(uri)
        self._scheme, self._name = parts.scheme.lower(), str(parts.hostname)
        super().__init__(context=verifying(), timeout=PATIENCE, encoding="utf-8")
        try:
            self.connect(self._name, parts.port or PORTS[self._scheme])
            self.login(user, password, secure=self._scheme == "ftpes")
            if self._scheme != "ftp":
                self.prot_p()
            self.home = self.pwd()
        except BaseException:
            self.close()
            raise

    def connect(self, host: str = "", port: int = 0, *_: object) -> str:
        """See base class; implicit TLS begins before the server says a word."""
        self.host, self.port = host, port
        self.sock = socket.create_connection((host, port), self.timeout)
        self.af = self.sock.family
        if self._scheme == "ftps":
            self.sock = self.context.wrap_socket(self.sock, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """See base class; the TLS session of the control connection goes on."""
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - unprotected only where asked for
        if isinstance(self.sock, ssl.SSLSocket):
            connection = self.context.wrap_socket(connection, server_hostname=self._name, session=self.sock.session)
        return connection, size

    def absolute(self, uri: str) -> str:
        """The path that `uri` means on this server."""
        return posixpath.join(self.home, unquote(urlsplit(uri).path).removeprefix("/")).rstrip("/") or "/"

    def make_folder(self, path: str) -> None:
        """Make `path` and all above it that is missing."""
        above = "/"
        for name in path.strip("/").split("/"):
            above = posixpath.join(above, name)
            with suppress(ftplib.error_perm):  # it is there already, or entering it tells
                self.mkd(above)
        self.cwd(path)

    def replace(self, source: str, target: str) -> None:
        """Rename, also over a file that is there."""
        try:
            self.rename(source, target)
        except ftplib.error_perm:
            self.delete(target)
            self.rename(source, target)

    def end(self) -> None:
        """Say good-bye where that is still possible; raises nothing."""
        with suppress(ftplib.Error, OSError, EOFError):
            self.quit()
        self.close()


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what `ftplib` and the network raise into a `PublishError`."""
    where = f"{urlsplit(uri).scheme}://{urlsplit(uri).netloc}"
    try:
        yield
    except ftplib.Error as error:
        raise _answer(where, str(error)) from None
    except ssl.SSLCertVerificationError:
        raise Refused(f"the certificate of {where} is not trusted; {VARIABLE} names the authorities to trust") from None
    except ssl.SSLError:
        raise Refused(f"{where} does not speak TLS in this way; check scheme and port of UriPath") from None
    except ValueError:  # ftplib refuses line ends; a host name can be none
        raise Refused(f"{where}: user name, password and path must not hold line ends or NUL") from None
    except (OSError, EOFError):
        raise Unavailable(f"{where} cannot be reached, or has stopped answering") from None


def _answer(where: str, reply: str) -> PublishError:
    code = reply[:3]
    if code in EXPLAINED:
        kind, meaning = EXPLAINED[code]
        return kind(f"{where} {meaning}")
    said = "".join(char if char.isprintable() else "?" for char in reply[:MAX_REPLY])
    kind = Refused if code.isdecimal() and code >= "500" else Unavailable
    return kind(f"{where} answers: {said}")
