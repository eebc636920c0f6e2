from pathlib import Path

import pytest

from publishers.roots import FolderError, below_roots, files_roots, local_path


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/media/in", "/media/in"),
        ("/100% #1?", "/100% #1?"),
        ("file:///media/in", "/media/in"),
        ("FILE:///media/in/", "/media/in"),
        ("file://localhost/media", "/media"),
        ("file:///a%20b%23%3Fc/%E4%B8%96", "/a b#?c/世"),
    ],
)
def test_paths_and_uris_are_understood(uri: str, path: str) -> None:
    assert local_path(uri) == Path(path)


@pytest.mark.parametrize(
    "uri",
    [
        "media/in",
        "",
        "~/x",
        "file:media",
        "file://server/share",
        "file:///a?b",
        "file:///a#b",
        "file:///%FF",
        "file:///a%00b",
        "/a\0b",
        "file://[",
        "https://host/x",
    ],
)
def test_what_is_no_local_folder_is_refused(uri: str) -> None:
    with pytest.raises(FolderError):
        local_path(uri)


def test_roots_are_separated_by_colons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_FILES_ROOT", "/a::/b/c")
    assert files_roots() == (Path("/a"), Path("/b/c"))


def test_a_relative_root_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_FILES_ROOT", "media")
    with pytest.raises(ValueError, match="absolute"):
        files_roots()


def test_links_between_roots_are_followed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    (first / "link").symlink_to(second)
    assert below_roots(first / "link" / "new", (first, second)) == second / "new"
    with pytest.raises(FolderError):
        below_roots(first / "link", (first,))


def test_a_root_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "root").symlink_to("disk")
    assert below_roots(tmp_path / "root" / "a", (tmp_path / "root",)) == tmp_path / "disk" / "a"


@pytest.mark.parametrize(("root", "problem"), [("theirs", "outside of the allowed"), ("hidden", "does not exist")])
def test_neither_other_roots_nor_where_links_lead_is_told(tmp_path: Path, root: str, problem: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "hidden")
    with pytest.raises(FolderError, match=problem) as caught:
        below_roots(tmp_path / "link", (tmp_path / root,))
    assert f"{tmp_path}/link" in str(caught.value)
    assert f"{tmp_path}/{root}" not in str(caught.value)
    assert f"{tmp_path}/hidden" not in str(caught.value)
