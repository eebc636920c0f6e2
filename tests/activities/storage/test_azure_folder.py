import pytest
from pydantic import ValidationError

from activities.storage.azure.folder import blob_folder
from activities.storage.config import AzureBlobLocation

HOST = "https://acme.blob.core.windows.net"


@pytest.mark.parametrize(
    ("address", "service", "container", "prefix"),
    [
        (f"{HOST}/media/in/a%20b/", HOST, "media", "in/a b/"),
        (f"{HOST}/media", HOST, "media", ""),
        (f"{HOST}/$web//x/./", HOST, "$web", "x/"),
        (f"{HOST}/acme/x/", HOST, "acme", "x/"),
        ("HTTPS://ACME.Blob.Core.Windows.net:443/media/X", HOST, "media", "X/"),
        ("https://acme.blob.core.chinacloudapi.cn/media/", "https://acme.blob.core.chinacloudapi.cn", "media", ""),
        ("https://acme.z01.blob.storage.azure.net/media/", "https://acme.z01.blob.storage.azure.net", "media", ""),
        (
            "https://acme-secondary.blob.core.windows.net/m-1/",
            "https://acme-secondary.blob.core.windows.net",
            "m-1",
            "",
        ),
        (
            "https://acme-secondary.blob.core.windows.net/acme/x/",
            "https://acme-secondary.blob.core.windows.net",
            "acme",
            "x/",
        ),
        ("https://cdn.example.com/media/in/", "https://cdn.example.com", "media", "in/"),
        ("http://127.0.0.1:10000/acme/media/in/", "http://127.0.0.1:10000/acme", "media", "in/"),
        ("http://[::1]:10000/acme/media/", "http://[::1]:10000/acme", "media", ""),
    ],
)
def test_every_form_of_an_address_is_understood(address: str, service: str, container: str, prefix: str) -> None:
    assert blob_folder(address, "acme")[:4] == (service, "acme", container, prefix)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (f"{HOST}/", "UriPath names no container"),
        ("http://127.0.0.1:10000/acme/", "UriPath names no container"),
        (f"{HOST}/Media/in/", "'Media' cannot be a container"),
        (f"{HOST}/a--b/in/", "cannot be a container"),
        ("https://acme.dfs.core.windows.net/media/in/", r"write \.blob\. in place of \.dfs\."),
        ("https://other.blob.core.windows.net/media/in/", "is on the account 'other'; CredentialsName"),
    ],
)
def test_what_names_no_folder_is_refused_when_the_job_is_read(address: str, text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        AzureBlobLocation(provider="AzureBlob", uri_path=address, credentials_name="acme", credentials_secret="a2V5")


def test_one_folder_is_one_place_however_it_is_written() -> None:
    addresses = [
        f"{HOST}/media/a%20b",
        f"{HOST}:443/media/a b/",
        "https://acme-secondary.blob.core.windows.net/media/%61%20b/",
        "http://acme.blob.core.windows.net./media//a%20b/",
    ]
    assert {blob_folder(address, "acme").place() for address in addresses} == {f"{HOST}/media/a%20b/"}


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/media/out/",
        "https://evil.example:444/media/out/",
        "https://acme.blob.core.evil.example/media/out/",
        "https://acme.blob.core.windows.net.evil.example/media/out/",
        "https://acme.blob.core.chinacloudapi.cn/media/out/",
        "https://acme.z01.blob.storage.azure.net/media/out/",
        "http://127.0.0.1:1/acme/media/out/",
    ],
)
def test_what_is_not_the_account_s_host_is_a_place_of_its_own(address: str) -> None:
    assert blob_folder(address, "acme").place() == address


def test_links_are_percent_encoded() -> None:
    folder = blob_folder(f"{HOST}/media/a b/", "acme")
    assert folder.link("dash/世#1.mpd") == f"{HOST}/media/a%20b/dash/%E4%B8%96%231.mpd"
    assert folder.link("") == f"{HOST}/media/a%20b/"
