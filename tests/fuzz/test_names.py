"""What is read from names: languages, parts, addresses; and that no name leads out of its folder."""

import os
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from activities.errors import AcquisitionError
from activities.languages import canonical, title
from activities.mapping.convention import by_convention
from activities.mapping.names import Names
from activities.mappings import MediaMappings
from activities.storage.azure.folder import blob_folder
from activities.storage.base import StorageError, inside
from activities.storage.content import cache_control, content_type
from activities.storage.s3.address import Folder
from activities.store.kept import units
from publishers.roots import FolderError, below_roots, local_path
from publishers.urls import HttpFolder, split_url
from tests.fuzz.trying import LETTERS, TEXT, check_told, inputs, made_of
from workflows.preview import _inside

CODES = made_of(
    "en", "eng", "ger", "pt", "-", "_", "BR", "Hant", "419", "x", "und", "i-", "sgn", "zh", "qaa", "1996", " ", size=6
)
NAME = made_of("en", "-", "_", ".", "ad", "cc", "pt-BR", ".mp4", ".m4a", ".vtt", "movie", "/", "folder/", " ", size=8)
SCHEMES = ["http://", "https://", "HTTPS://", "s3://", "ftp://", "ftpes://", "file:///", "file://", "//", ""]
HOSTS = [
    "host",
    "films.s3.eu-central-1.amazonaws.com",
    "s3.amazonaws.com",
    "x.blob.core.windows.net",
    "[::1]",
    "host:9000",
]
HOSTS += ["host:99999", "[bad", "u:p@host", "ex\u2100mple", "127.0.0.1"]
PATHS = made_of("/", "folder", "x", "..", ".", "%2e%2e", "%2F", "%", "%ff", "%00", "//", "vod", "?a", "#b", " ", size=8)
ADDRESSES = st.tuples(st.sampled_from(SCHEMES), st.sampled_from(HOSTS), PATHS).map("".join) | TEXT


@given(CODES)
@inputs(75)
def test_a_language_has_one_tag(code: str) -> None:
    tag = canonical(code)
    if tag is not None:
        assert canonical(tag) == tag
        assert tag.isascii()
        assert title(tag, native=True)
        assert title(tag, native=False)


@given(NAME)
@inputs(50)
def test_names_by_convention(name: str) -> None:
    claims = by_convention(name)
    assert len(claims) <= 1
    assert all(claim.language is None or canonical(claim.language) == claim.language for claim in claims)
    assert content_type(name)
    assert cache_control(name)


GROUPS = made_of(
    r"(?<lang>\w+)", r"(\w+)", r"\.mp4$", "-", ".*", "en", r"(?i)", r"[^.]+", r"(a|b)", r"\d", "(", ")", "[", size=5
)


@given(GROUPS, NAME)
@inputs(50)
def test_an_expression_claims_or_is_refused(expression: str, name: str) -> None:
    fields = {"VideoStreamExpression": r"\.mp4$", "AudioFileLanguageExpression": expression or "x"}
    try:
        mappings = MediaMappings.model_validate(fields)
    except ValueError as error:
        check_told(error, "AudioFileLanguageExpression")
        return
    try:
        claims = Names(mappings).claims(name)
    except AcquisitionError as error:
        check_told(error, "MediaMappings.AudioFileLanguageExpression")
        return
    assert all(claim.language is None or canonical(claim.language) == claim.language for claim in claims)


@given(ADDRESSES)
@inputs(75)
def test_an_address_is_read_or_refused(address: str) -> None:
    for read in (Folder.on_amazon, lambda text: Folder.on_compatible(text, "https://host:9000"), split_url):
        try:
            found = read(address)
        except ValueError as error:
            check_told(error)
            continue
        if isinstance(found, Folder):
            assert "/" not in found.bucket
            assert found.prefix == "" or found.prefix.endswith("/")
            assert urlsplit(found.base).hostname
            assert found.place == quote(unquote(found.place), safe=":/[]")
    try:
        folder = blob_folder(TypeAdapter(HttpFolder).validate_python(address), "x")
    except ValueError:
        return
    assert "/" not in folder.container
    assert folder.link("a b.mp4").startswith(("http://", "https://"))


TREE = ["in/film.mp4", "in/deeper/sound.m4a", "out", "loop", "away"]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with links that lead out, in circles and to the inside; beside it lies what nobody may touch."""
    above = tmp_path_factory.mktemp("above")
    (above / "secret").mkdir()
    (root := above / "root").mkdir()
    (root / "in" / "deeper").mkdir(parents=True)
    (root / "away").symlink_to(above / "secret")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "same").symlink_to("in")
    return root


STEPS = made_of(
    "in", "deeper", "away", "up", "loop", "same", "..", ".", "/", "//", "%2e%2e", "%2F", "secret", "root", size=10
)


@given(STEPS, st.sampled_from(["", "file://", "FILE:", "file://localhost"]))
@inputs(75)
def test_no_location_is_outside_of_the_root(root: Path, path: str, scheme: str) -> None:
    try:
        found = below_roots(local_path(f"{scheme}{root}/{path}"), (root,))
    except FolderError:
        return
    assert Path(os.path.realpath(found)).is_relative_to(root)


@given(STEPS)
@inputs(50)
def test_no_name_leads_out_of_its_folder(root: Path, name: str) -> None:
    try:
        inside(name)
    except StorageError:
        pass
    else:
        assert Path(os.path.normpath(root / "in" / name)).is_relative_to(root / "in")
        assert all(Path(os.path.normpath(root / unit)).is_relative_to(root) for unit in units(name))
    try:
        found = _inside(root / "in", name)
    except web.HTTPNotFound:
        pass
    else:
        assert found.resolve().is_relative_to(root / "in")


@given(LETTERS.filter(lambda text: "\0" not in text))
@inputs(20)
def test_a_folder_has_the_same_path_and_uri(name: str) -> None:
    assert local_path(f"file:///media/{quote(name)}") == Path(f"/media/{name}")
