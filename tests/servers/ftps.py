import ftplib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.certificates import Certificates
from tests.servers.environment import SERVERS
from tests.servers.ports import free_ports
from tests.servers.process import Process

VSFTPD = "/usr/sbin/vsftpd"
CONFIG = """\
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
local_enable=YES
write_enable=YES
local_umask=022
seccomp_sandbox=NO
pasv_min_port=10000
pasv_max_port=11999
ssl_enable=YES
require_ssl_reuse=YES
force_local_logins_ssl={force}
force_local_data_ssl={force}
implicit_ssl={implicit}
rsa_cert_file={certificate}
rsa_private_key_file={key}
allow_writeable_chroot=YES
chroot_local_user=YES
check_shell=NO
"""


class Account:
    """A user of this machine, for the time of the tests: vsftpd knows no others."""

    def __init__(self) -> None:
        self.name = f"ftp-{secrets.token_hex(4)}"
        self.password = secrets.token_hex(12)
        # Not below pytest's folder, which every run of pytest makes private again.
        self.home = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))

    def __enter__(self) -> Self:
        self.home.chmod(0o755)
        subprocess.run(["useradd", "--no-create-home", "--home-dir", str(self.home), self.name], check=True)
        # Every connection checks the password: the system's own way to hash it takes a quarter of a second.
        quick = ["chpasswd", "--crypt-method", "SHA512", "--sha-rounds", "1000"]
        subprocess.run(quick, input=f"{self.name}:{self.password}", text=True, check=True)
        shutil.chown(self.home, self.name)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["userdel", "--force", self.name], check=True, capture_output=True)
        shutil.rmtree(self.home)


class Vsftpd:
    """The strict server: demands that data connections reuse the TLS session. `scheme`: ftp, ftpes, ftps."""

    def __init__(self, folder: Path, scheme: str, account: Account, tls: Certificates) -> None:
        [self.port] = free_ports(1)
        self.scheme = scheme
        self.url = f"{scheme}://localhost:{self.port}"
        self.account = account
        config = folder / f"{scheme}.conf"
        config.write_text(
            CONFIG.format(
                port=self.port,
                force="NO" if scheme == "ftp" else "YES",
                implicit="YES" if scheme == "ftps" else "NO",
                certificate=tls.certificate,
                key=tls.key,
            )
        )
        self._process = Process([VSFTPD, str(config)], folder / f"{scheme}.log", self._answers, install="make test")
        self.start, self.stop, self.kill = self._process.start, self._process.stop, self._process.kill

    def break_off(self) -> None:
        """End all sessions at once, each of several processes, not the server."""
        sessions = _descendants(self._process.pid)
        assert sessions, "nobody is connected"
        for pid in sessions:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _answers(self) -> bool:
        """Implicit TLS says nothing to a client without TLS: there, the open port has to do."""
        try:
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", self.port, timeout=0.5)
        except TimeoutError:
            return self.scheme == "ftps"
        except (OSError, EOFError):
            return False
        return True


def _descendants(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "--parent", str(pid)], check=False, capture_output=True, text=True)
    children = [int(child) for child in found.stdout.split()]
    return [*children, *(grandchild for child in children for grandchild in _descendants(child))]


LENIENT = """\
import os, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import DTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

class Handler(TLS_FTPHandler):
    def ftp_RNTO(self, path):
        if os.path.exists(path):
            self.respond("550 There is such a file.")
        else:
            super().ftp_RNTO(path)

class Curt(TLS_DTPHandler):
    def _do_ssl_shutdown(self):
        DTPHandler.close(self)

port, user, password, home, certificate, key, permissions, connections, lacks = sys.argv[1:]
Handler.proto_cmds = {name: how for name, how in Handler.proto_cmds.items() if name not in lacks.split()}
if "close_notify" in lacks.split():
    Handler.dtp_handler = Curt
Handler.authorizer = DummyAuthorizer()
Handler.authorizer.add_user(user, password, home, perm=permissions)
Handler.certfile, Handler.keyfile = certificate, key
Handler.tls_control_required = Handler.tls_data_required = True
FTPServer.max_cons_per_ip = int(connections)
FTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""


class Pyftpd:
    """The lenient server, explicit TLS; lenient but for renaming over a file, which some servers refuse.

    Args:
        connections: that it takes at once; 0 = any number.
        lacks: commands that it does not know; or `close_notify`, the words of TLS at the end of what it takes.
    """

    user = "events"
    password = "s3cret-Pass"

    def __init__(
        self,
        folder: Path,
        tls: Certificates,
        permissions: str = "elradfmwMT",
        *,
        home: Path | None = None,
        connections: int = 0,
        lacks: str = "",
    ) -> None:
        [self.port] = free_ports(1)
        self.home = home or folder / "home"
        self.home.mkdir(exist_ok=True)
        self.url = f"ftpes://127.0.0.1:{self.port}"
        arguments = [str(self.port), self.user, self.password, str(self.home), str(tls.certificate), str(tls.key)]
        command = [str(SERVERS / "python"), "-c", LENIENT, *arguments, permissions, str(connections), lacks]
        self._process = Process(command, folder / "pyftpd.log", self._answers, install="make test")
        self.start, self.stop, self.kill = self._process.start, self._process.stop, self._process.kill

    def _answers(self) -> bool:
        try:
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", self.port, timeout=0.5)
        except (OSError, EOFError):
            return False
        return True
