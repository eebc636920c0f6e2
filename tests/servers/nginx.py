import base64
import hashlib
import http.client
from pathlib import Path

from tests.servers.certificates import Certificates
from tests.servers.ports import free_ports
from tests.servers.process import Process

NGINX = "/usr/sbin/nginx"
CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    types {{ text/html html; }}
    default_type application/octet-stream;
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {tls.certificate};
        ssl_certificate_key {tls.key};
        root {home};
        autoindex on;
        location /locked/ {{ auth_basic "locked"; auth_basic_user_file {folder}/users; }}
        location /unlisted/ {{ autoindex off; }}
        location /no-head/ {{ limit_except GET {{ deny all; }} }}
        location /moved/ {{ rewrite ^/moved/(.*)$ /moved-to/$1 redirect; }}
        location /down/ {{ return 302 http://127.0.0.1:{port}/; }}
        location /503/ {{ add_header Retry-After 7 always; return 503; }}
        location /429/ {{ return 429; }}
        location /410/ {{ return 410; }}
    }}
}}
"""


class Nginx:
    """Lists folders, sends parts of files. `/locked/` wants the user; some other paths fail as they are called."""

    user = "reader"
    password = "s3cret-Pässword"

    def __init__(self, folder: Path, tls: Certificates) -> None:
        self.tls = tls
        self.port, self.tls_port = free_ports(2)
        self.home = folder / "home"
        self.home.mkdir()
        self.url = f"http://127.0.0.1:{self.port}"
        self.tls_url = f"https://localhost:{self.tls_port}"
        self._access = folder / "access.log"
        (folder / "users").write_text(f"{self.user}:{_hash(self.password)}\n")
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(folder=folder, home=self.home, port=self.port, tls_port=self.tls_port, tls=tls))
        # The workers serve what the tests' own user owns.
        command = [NGINX, "-c", str(config), "-e", str(folder / "error.log"), "-g", "user root;"]
        self._process = Process(command, folder / "nginx.log", self._answers, install="make test")
        self.start, self.stop, self.kill = self._process.start, self._process.stop, self._process.kill

    def requests(self) -> list[str]:
        """One line each, since it was started first."""
        return self._access.read_text().splitlines()

    def _answers(self) -> bool:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=0.5)
        try:
            client.request("HEAD", "/")
            return client.getresponse().status > 0
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()


def _hash(password: str) -> str:
    """In nginx's own spelling."""
    return "{SHA}" + base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()  # noqa: S324 - nginx's format
