"""Where a folder of Azure Blob Storage is, from the address in a job."""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from publishers.urls import split_url, url_host

SERVICE_HOST = re.compile(
    r"""(?P<account>[a-z0-9]+)(-secondary|-ipv6|-dualstack)*
        (?P<zone>\.z\d+)?
        \.(?P<kind>blob|dfs)\.
        (?P<cloud>core\.windows\.net|core\.chinacloudapi\.cn|core\.usgovcloudapi\.net|core\.cloudapi\.de
           |storage\.azure\.net)\.?""",
    re.VERBOSE,
)
"""As the clouds of Azure name them; every other host is a domain of the customer's own, or an emulator."""
CONTAINER = re.compile(r"\$(?:root|web|logs)|(?=.{3,63}$)[a-z0-9]+(?:-[a-z0-9]+)*")
FORM = "https://<account>.blob.core.windows.net/<container>/<folder>/"
DEFAULT_PORTS = {"http": 80, "https": 443}


class BlobFolder(NamedTuple):
    """A folder: the blobs of a container whose names begin alike."""

    service: str
    """Address of the account, without a slash at the end."""
    account: str
    container: str
    prefix: str
    """What the names begin with: nothing, or a text that ends in `/`."""

    def link(self, name: str) -> str:
        """Of a blob in the folder; of the folder itself for an empty name."""
        return f"{self.service}/{self.container}/{quote(self.prefix + name, safe='/~')}"

    def place(self) -> str:
        """The same text for all hosts that an account has in Azure; only there is its name proof of whose it is."""
        found = SERVICE_HOST.fullmatch(urlsplit(self.service).hostname or "")
        service = f"https://{found['account']}{found['zone'] or ''}.blob.{found['cloud']}" if found else self.service
        return f"{service}/{self.container}/{quote(self.prefix)}"


def blob_folder(address: str, account: str) -> BlobFolder:
    """The folder that `address` means; emulators have the account's name in front of the container's.

    Raises:
        ValueError: it means none.
    """
    parts = split_url(address)
    host = (parts.hostname or "").lower()
    _check_host(host, account)
    service = f"{parts.scheme.lower()}://{_netloc(host, parts)}"
    names = [name for name in map(unquote, parts.path.split("/")) if name not in ("", ".")]
    if names[:1] == [account] and host.partition(".")[0] != account and not SERVICE_HOST.fullmatch(host):
        service = f"{service}/{names.pop(0)}"
    if not names:
        raise ValueError(f"UriPath names no container; write {FORM}")
    container, *folders = names
    if not CONTAINER.fullmatch(container):
        raise ValueError(
            f"UriPath: {container[:70]!r} cannot be a container; its name has 3 to 63 of the characters a-z, 0-9, -"
        )
    return BlobFolder(service, account, container, "".join(f"{name}/" for name in folders))


def _check_host(host: str, account: str) -> None:
    if not (found := SERVICE_HOST.fullmatch(host)):
        return
    if found["kind"] == "dfs":
        raise ValueError("UriPath is the address of the account's Data Lake service; write .blob. in place of .dfs.")
    if found["account"] != account:
        raise ValueError(f"UriPath is on the account {found['account']!r}; CredentialsName must be its name")


def _netloc(host: str, parts: SplitResult) -> str:
    name = url_host(host)
    return f"{name}:{parts.port}" if parts.port not in (None, DEFAULT_PORTS.get(parts.scheme.lower())) else name
