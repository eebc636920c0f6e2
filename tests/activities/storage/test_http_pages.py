import pytest

from activities.storage.http.pages import NoListing, links

ADDRESS = "http://host/media/in%20put/"

NGINX = '<h1>Index of /media/in put/</h1><a href="../">../</a><a href="x%20y.mp4">x y.mp4</a> 5 <a href="s/">s/</a>'
APACHE = (
    '<title>Index of /media/in put</title><a href="?C=N;O=D">Name</a><a href="/media/">Parent Directory</a>'
    '<a href="x%20y.mp4">x y.mp4</a><a href="s/">s/</a>'
)
LIGHTTPD = (
    '<title>Index of /media/in put/</title><a href="../">..</a>/ <a href="s/">s</a>/ <a href="x%20y.mp4">x y.mp4</a>'
)
CADDY = '<title>in put/</title><a href="..">Up</a><a href="./s/">s</a><a href="./x%20y.mp4">x</a><a href="./?sort=a">'
PYTHON = '<title>Directory listing for /media/in put/</title><li><a href="x%20y.mp4">x</a><li><a href="s/">s/</a>'
ABSOLUTE = '<a href="/media/in put/x%20y.mp4">x</a><a href="HTTP://HOST/media/in%20put/s/">s</a>'


@pytest.mark.parametrize("page", [NGINX, APACHE, LIGHTTPD, CADDY, PYTHON, ABSOLUTE])
def test_the_pages_of_servers_are_read(page: str) -> None:
    found = {(link.name, link.is_folder) for link in links(page, ADDRESS) if not link.unusable}
    assert found == {("x y.mp4", False), ("s", True)}


@pytest.mark.parametrize(
    "href",
    [
        "..",
        "../other/x.mp4",
        "a/../../x.mp4",
        "/x.mp4",
        "//evil/media/in%20put/x.mp4",
        "https://host/media/in%20put/x.mp4",
        "http://host:81/media/in%20put/x.mp4",
        "http://[bad/x.mp4",
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:x@y",
        "x.mp4?download=1",
        "#top",
        "",
    ],
)
def test_links_that_lead_elsewhere_are_passed_over(href: str) -> None:
    assert [*links(f'<title>Index of x</title><a href="{href}">x</a>', ADDRESS)] == []


@pytest.mark.parametrize("href", ["%2e%2e/x.mp4", "a%2Fb.mp4", "x%00.mp4", "%ff.mp4", "%00%ff", "%2e%2e%2fx", "%2e"])
def test_names_that_no_file_can_have_are_marked(href: str) -> None:
    [link] = links(f'<a href="{href}">x</a>', ADDRESS)
    assert link.unusable
    assert "\0" not in link.name


@pytest.mark.parametrize(
    "page", ["", "plain text", "<p>Welcome</p><a href='https://else.where/'>us</a>", "<![garbage", "<a>"]
)
def test_other_pages_are_no_listings(page: str) -> None:
    with pytest.raises(NoListing):
        list(links(page, ADDRESS))


def test_an_empty_folder_is_a_listing() -> None:
    assert [*links('<a href="../">../</a>', ADDRESS)] == []
