"""The places that titles come from and go to, each behind a connection that can be hurt."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from tests.activities.storage.s3_doing import s3_location
from tests.servers.azurite import Blob
from tests.servers.ftps import Pyftpd
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3

Json = dict[str, Any]


class Storage(ABC):
    """A server's folders, for jobs by its proxy, and for the test without."""

    local: Path | None = None
    """Where its files lie on this machine, where they do as such."""

    @abstractmethod
    def location(self, folder: str) -> Json:
        """A block of a job description."""

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Store a file."""

    @abstractmethod
    def files(self, folder: str) -> dict[str, bytes]:
        """All that is below a folder, by relative name."""


class Local(Storage):
    """Folders of this machine."""

    def __init__(self, root: Path) -> None:
        self.local = self._root = root

    def location(self, folder: str) -> Json:
        return {"Provider": "Files", "UriPath": str(self._root / folder)}

    def put(self, name: str, data: bytes) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def files(self, folder: str) -> dict[str, bytes]:
        top = self._root / folder
        return {str(path.relative_to(top)): path.read_bytes() for path in top.rglob("*") if path.is_file()}


class Ftp(Local):
    """The same by FTPS; that server's files lie in a folder."""

    def __init__(self, server: Pyftpd, proxy: Proxy) -> None:
        super().__init__(server.home)
        self._server, self._proxy = server, proxy

    def location(self, folder: str) -> Json:
        login = {"CredentialsName": self._server.user, "CredentialsSecret": self._server.password}
        return {"Provider": "Ftps", "UriPath": f"ftpes://127.0.0.1:{self._proxy.port}/{folder}", **login}


class Bucket(Storage):
    """One of the S3 server."""

    def __init__(self, server: S3, proxy: Proxy) -> None:
        self._server, self._endpoint = server, f"http://127.0.0.1:{proxy.port}"
        self._at = {"Bucket": server.bucket}

    def location(self, folder: str) -> Json:
        return s3_location(self._server, folder, EndpointUrl=self._endpoint).to_json_object()

    def put(self, name: str, data: bytes) -> None:
        self._server.client.put_object(**self._at, Key=name, Body=data)

    def files(self, folder: str) -> dict[str, bytes]:
        client, prefix = self._server.client, f"{folder}/"
        pages = client.get_paginator("list_objects_v2").paginate(**self._at, Prefix=prefix)
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {name.removeprefix(prefix): client.get_object(**self._at, Key=name)["Body"].read() for name in names}


class Container(Storage):
    """One of the Blob server."""

    name = "media"

    def __init__(self, server: Blob, proxy: Proxy) -> None:
        self._server = server
        self._url = f"http://127.0.0.1:{proxy.port}/{server.account}/{self.name}"

    def location(self, folder: str) -> Json:
        login = {"CredentialsName": self._server.account, "CredentialsSecret": self._server.key}
        return {"Provider": "AzureBlob", "UriPath": f"{self._url}/{folder}/", **login}

    def put(self, name: str, data: bytes) -> None:
        self._server.container(self.name).upload_blob(name, data, overwrite=True)

    def files(self, folder: str) -> dict[str, bytes]:
        container, prefix = self._server.container(self.name), f"{folder}/"
        names = [*container.list_blob_names(name_starts_with=prefix)]
        return {name.removeprefix(prefix): container.download_blob(name).readall() for name in names}
