import socket
from pathlib import Path

from tests.servers.certificates import Certificates
from tests.servers.nginx import NGINX
from tests.servers.ports import free_ports
from tests.servers.process import Process

CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {tls.certificate};
        ssl_certificate_key {tls.key};
        ssl_client_certificate {tls.ca};
        ssl_verify_client {verify};
        client_max_body_size 0;
        grpc_read_timeout 1h;
        grpc_send_timeout 1h;
        location / {{
            if ($http_authorization != "{authorization}") {{ return 401; }}
            grpc_pass grpc://{upstream};
        }}
    }}
}}
"""


class Gateway:
    """TLS in front of a Temporal server, as a cloud has it: with certificates of clients, or an API key instead."""

    def __init__(self, folder: Path, tls: Certificates, upstream: str, api_key: str = "") -> None:
        [self.port] = free_ports(1)
        self.address = f"127.0.0.1:{self.port}"
        self.tls = tls
        authorization = f"Bearer {api_key}" if api_key else ""
        verify = "off" if api_key else "on"
        config = folder / "nginx.conf"
        text = CONFIG.format(
            folder=folder, port=self.port, tls=tls, verify=verify, authorization=authorization, upstream=upstream
        )
        config.write_text(text)
        command = [NGINX, "-c", str(config), "-e", str(folder / "error.log"), "-g", "user root;"]
        self._process = Process(command, folder / "nginx.log", self._answers, install="make test")
        self.start, self.stop = self._process.start, self._process.stop

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
