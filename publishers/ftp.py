"""An FTP client for all three schemes, on `ftplib`, that keeps to what servers demand and trusts no more than it must.

- `ftp://` no TLS, `ftpes://` explicit TLS (`AUTH TLS`), `ftps://` implicit TLS; data connections are protected as well.
- Data connections go on with the TLS session of the control connection: strict servers demand it.
- They go to the address that was connected to, whichever the server's `PASV` answer names; that one was checked.
- Names are UTF-8; other bytes that a server sends come back to it as they were.
- A path is relative to the folder in which the server puts the user (RFC 1738); `//` or `%2F` in front makes it
  absolute.
"""

import ftplib
import posixpath
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import unquote, urlsplit

from publishers.addresses import connected
from publishers.pace import HostError, pace, paced, paced_tls
from publishers.tls import VARIABLE, verifying

PATIENCE = 10
"""Seconds: to connect, and without an answer."""
PORTS = {"ftp": 21, "ftpes": 21, "ftps": 990}
REASON_SECONDS = 2
"""To wait for the reason of what has failed already, or for a good-bye."""
MAX_REPLY = 200
LONGEST_REPLY = 1 << 16
"""Characters, of all lines together."""
FACTS = "type;size;unique;"
"""What machine-readable listings are to tell of a file."""
BEAT_SECONDS = 60
"""Signs of life on a control connection that is silent while files travel: routers forget silent ones."""

TEMPORARY = True
PERMANENT = False

LOGIN = frozenset({"331", "332", "430", "530", "532"})
"""Reply codes that are about the user."""
BUSY, NO_FILE = "421", "550"

REPLIES: dict[str, tuple[str, bool]] = {
    "331": ("wants a password", PERMANENT),
    "332": ("wants an account, which is not supported", PERMANENT),
    "430": ("does not accept this user name and password", PERMANENT),
    "530": ("does not accept this user name and password", PERMANENT),
    "532": ("wants an account, which is not supported", PERMANENT),
    "421": ("is closing or takes no more connections", TEMPORARY),
    "452": ("has no space left", TEMPORARY),
    "552": ("has no space left for this user", TEMPORARY),
    "522": ("does not take the data connection's TLS session; a new connection has a new one", TEMPORARY),
}
"""What a reply code means in whatever place; other codes of 500 and above are final, the rest may pass."""

FAILURES: list[tuple[type[Exception], str, bool]] = [
    (ssl.SSLCertVerificationError, f"has no trusted certificate; {VARIABLE} names the authorities to trust", PERMANENT),
    (ssl.SSLError, "has broken the connection off", TEMPORARY),
    # Refused by ftplib; the host's name can be one that is none.
    (ValueError, "cannot be asked: user name, password and path must not hold line ends or NUL", PERMANENT),
    (ConnectionRefusedError, "cannot be reached: nothing listens there; check host and port of UriPath", TEMPORARY),
    (TimeoutError, "cannot be reached, or has stopped answering", TEMPORARY),
    (OSError, "cannot be reached, or has broken the connection off", TEMPORARY),
    (EOFError, "has broken the connection off", TEMPORARY),
]
"""The first that fits counts."""


class FtpError(Exception):
    """What the server, or the way to it, has failed with. The text is for people and holds no secret.

    Args:
        temporary: whether trying again may help without anybody changing anything.
        code: the server's reply code, if there was a reply.
    """

    def __init__(self, message: str, *, temporary: bool, code: str = "") -> None:
        super().__init__(message)
        self.temporary = temporary
        self.code = code


class Client(ftplib.FTP_TLS):
    """A connection that is logged in, in binary mode.

    Args:
        patience: seconds without a byte, once it is there.
    """

    def __init__(self, uri: str, user: str, password: str, patience: float | None = None) -> None:
        parts = urlsplit(uri)
        self._scheme, self._name, self._place = parts.scheme.lower(), str(parts.hostname), where(uri)
        self.confirmation = ""
        """What the server said at the end of the last `data`."""
        super().__init__(context=paced_tls(verifying()), timeout=PATIENCE, encoding="utf-8")
        try:
            self.connect(self._name, parts.port or PORTS[self._scheme])
            self._log_in(user, password)
            self._agree()
            if patience is not None:
                self.timeout = patience
                self._socket.settimeout(patience)
        except BaseException:
            self.close()
            raise

    def _log_in(self, user: str, password: str) -> None:
        if self._scheme == "ftpes":
            try:
                self.auth()
            except ftplib.error_perm:
                # Not to be taken for an answer about the user, of whom nothing was said yet.
                message = f"{self._place} does not offer TLS; nothing was sent to it. Use ftps:// where TLS is implicit"
                raise FtpError(message, temporary=False) from None
        try:
            self.login(user, password, secure=False)
        except ftplib.Error as error:
            # Some servers repeat a command that they do not take.
            raise type(error)(str(error).replace(password, "…")) from None
        if self._scheme != "ftp":
            self.prot_p()

    def _agree(self) -> None:
        try:
            lines = self.sendcmd("FEAT").splitlines()[1:-1]
            self.features = {word.upper() for line in lines for word in line.split()[:1]}
        except ftplib.error_perm:
            self.features = set()
        if "UTF8" in self.features:
            with suppress(ftplib.error_perm):  # then it speaks it unasked
                self.sendcmd("OPTS UTF8 ON")
        if "MLST" in self.features:
            with suppress(ftplib.error_perm):  # then it tells what it likes
                self.sendcmd(f"OPTS MLST {FACTS}")
        self.voidcmd("TYPE I")
        self.home = self.pwd()

    @property
    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise EOFError
        return self.sock

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed on this side."""
        return self.sock is not None

    def connect(self, host: str = "", port: int = 0, *_: object) -> str:
        """See base class; implicit TLS begins before the server says a word."""
        self.host, self.port = host, port
        self.sock = connected(host, port, PATIENCE)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, BEAT_SECONDS)
        self.af = self.sock.family
        if self._scheme == "ftps":
            self._secure()
        self._hear()
        self.welcome = self.getresp()
        return self.welcome

    def auth(self) -> str:
        """See base class."""
        reply = self.voidcmd("AUTH TLS")
        self._secure()
        self._hear()  # anew: what came before TLS, anybody can have said
        return reply

    def _secure(self) -> None:
        try:
            self.sock = self.context.wrap_socket(self._socket, server_hostname=self.host)
        except (ssl.SSLCertVerificationError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            raise
        except ssl.SSLError:
            message = f"{self._place} does not speak TLS in this way; check scheme and port of UriPath"
            raise FtpError(message, temporary=False) from None

    def _hear(self) -> None:
        self.file = self._socket.makefile("r", encoding=self.encoding, errors="surrogateescape")

    def putline(self, line: str) -> None:
        """See base class."""
        if set(line) & set("\r\n\0"):
            raise ValueError("a line end or NUL in a command")
        self._socket.sendall(f"{line}\r\n".encode(self.encoding, errors="surrogateescape"))

    def getmultiline(self) -> str:
        """See base class; it ends, whatever the server does."""
        pace().begin()
        reply = line = self.getline()
        code = line[:3]
        while reply[3:4] == "-" and not (line[:3] == code and line[3:4] != "-"):
            line = self.getline()
            reply = f"{reply}\n{line}"
            if len(reply) > LONGEST_REPLY:
                raise EOFError  # it would never end
        return reply

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        """See base class; the TLS session of the control connection goes on."""
        made, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - unprotected only where asked for
        connection: socket.socket = paced(made)
        if isinstance(self.sock, ssl.SSLSocket):
            connection = self.context.wrap_socket(connection, server_hostname=self._name, session=self.sock.session)
        return connection, size

    @contextmanager
    def data(self, command: str, offset: int = 0) -> Iterator[socket.socket]:
        """A data connection for `command`, ended properly; the server has confirmed the transfer by the end.

        If the block fails, the control connection is closed as well: replies to come could belong to anything.
        """
        connection = self.transfercmd(command, offset or None)
        self.confirmation = ""
        try:
            with connection:
                yield connection
                if isinstance(connection, ssl.SSLSocket):
                    with suppress(OSError):  # some servers just close; sizes tell whether all has arrived
                        connection.unwrap()
            self.confirmation = self.voidresp()
        except (ConnectionError, ssl.SSLError):
            self._tell_reason()
            raise
        finally:
            if not self.confirmation:
                self.close()

    def _tell_reason(self) -> None:
        """Raise what the server says about a data connection that it has broken off, if it says something."""
        with suppress(OSError, EOFError):
            self._socket.settimeout(REASON_SECONDS)
            self.voidresp()

    def absolute(self, uri: str) -> str:
        """The path that `uri` means on this server."""
        return posixpath.join(self.home, unquote(urlsplit(uri).path).removeprefix("/")).rstrip("/") or "/"

    def make_folder(self, path: str) -> None:
        """Make `path` and all above it that is missing."""
        with suppress(ftplib.error_perm):
            self.cwd(path)
            return
        above = "/"
        for name in path.strip("/").split("/"):
            above = posixpath.join(above, name)
            with suppress(ftplib.error_perm):  # it is there already, or entering it tells
                self.mkd(above)
        self.cwd(path)

    def replace(self, source: str, target: str) -> None:
        """Rename, also over a file that is there.

        Raises:
            FtpError: there is nothing to rename; what is at `target` stays, since whoever has been quicker has put it
                there.
        """
        try:
            self.rename(source, target)
        except ftplib.error_perm:
            if self._lacks(source):
                raise FtpError(f"{self._place}: what was sent has been renamed already", temporary=True) from None
            self.delete(target)
            self.rename(source, target)

    def told_size(self, path: str) -> str | None:
        """The size of a file as the server tells it, or None where there is no such file.

        Raises:
            ftplib.error_perm: it does not tell.
        """
        try:
            return self.sendcmd(f"SIZE {path}")[3:].strip()
        except ftplib.error_perm as error:
            if str(error).startswith(NO_FILE):
                return None
            raise

    def _lacks(self, path: str) -> bool:
        """Whether there surely is no such file."""
        with suppress(ftplib.error_perm):
            return self.told_size(path) is None
        return False

    def end(self) -> None:
        """Say good-bye where that is possible in a moment; raises nothing."""
        with suppress(ftplib.Error, OSError, EOFError), pace().lasting(REASON_SECONDS):
            self._socket.settimeout(REASON_SECONDS)
            self.quit()
        self.close()


def where(uri: str) -> str:
    """The server of `uri`, for people."""
    return f"{urlsplit(uri).scheme}://{urlsplit(uri).netloc}"


@contextmanager
def explained(uri: str) -> Iterator[None]:
    """Turn what `ftplib` and the network raise into an `FtpError`."""
    try:
        yield
    except ftplib.Error as error:
        raise _answer(where(uri), str(error)) from None
    except HostError as error:
        raise FtpError(f"{where(uri)}: {error}", temporary=False) from None
    except socket.gaierror as error:
        temporary = error.errno == socket.EAI_AGAIN
        raise FtpError(f"{where(uri)}: no such host is known; check UriPath", temporary=temporary) from None
    except (OSError, EOFError, ValueError) as error:
        text, temporary = next((text, passes) for kind, text, passes in FAILURES if isinstance(error, kind))
        raise FtpError(f"{where(uri)} {text}", temporary=temporary) from None


def _answer(place: str, reply: str) -> FtpError:
    code = reply[:3]
    said = "".join(char if char.isprintable() else "?" for char in reply[:MAX_REPLY])
    if code == "530" and re.search("too many|maximum|limit|already connected", said, re.IGNORECASE):
        code = BUSY
    if code in LOGIN and re.search("encrypt|TLS|SSL", said):
        return FtpError(f"{place} demands TLS; use ftpes:// or ftps:// ({said})", temporary=False)
    if code in REPLIES:
        meaning, temporary = REPLIES[code]
        detail = "" if code in LOGIN else f" ({said})"  # nothing that could repeat the password
        return FtpError(f"{place} {meaning}{detail}", temporary=temporary, code=code)
    temporary = not (code.isdecimal() and code >= "500")
    return FtpError(f"{place} answers: {said}", temporary=temporary, code=code)
