import asyncio
import base64
import io
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from temporalio.api.common.v1 import Payload

from tests.servers.ports import free_ports
from workflows.codec import VARIABLE, Encryption, MissingKey, create_key, data_converter, payload_keys

OLD, NEW = b"o" * 32, b"n" * 32
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"s3cret"')
ENCODING = str(Path(sys.executable).with_name("encoding"))
ORIGIN = "http://localhost:8233"


async def test_what_is_encrypted_can_be_read_again_and_by_nobody_else() -> None:
    [encrypted] = await Encryption([NEW]).encode([PLAIN])
    assert b"s3cret" not in encrypted.SerializeToString()
    assert await Encryption([NEW]).decode([encrypted]) == [PLAIN]
    with pytest.raises(MissingKey, match=VARIABLE):
        await Encryption([OLD]).decode([encrypted])


async def test_no_two_encryptions_are_alike() -> None:
    assert len({each.data for each in await Encryption([NEW]).encode([PLAIN] * 100)}) == 100


async def test_keys_are_changed_by_putting_a_new_one_in_front() -> None:
    [before] = await Encryption([OLD]).encode([PLAIN])
    both = Encryption([NEW, OLD])
    assert await both.decode([before]) == [PLAIN]
    [after] = await both.encode([PLAIN])
    assert await Encryption([NEW]).decode([after]) == [PLAIN]


async def test_what_was_never_encrypted_stays_as_it_is() -> None:
    assert await Encryption([NEW]).decode([PLAIN]) == [PLAIN]


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 100])
async def test_what_was_tampered_with_is_handed_on_for_the_reader_to_refuse(data: bytes) -> None:
    [encrypted] = await Encryption([NEW]).encode([PLAIN])
    encrypted.data = data
    assert await Encryption([NEW]).decode([encrypted]) == [encrypted]


async def test_without_keys_all_is_plain_and_what_is_not_waits_for_its_key() -> None:
    keyless = Encryption([])
    assert await keyless.encode([PLAIN]) == [PLAIN]
    assert await keyless.decode([PLAIN]) == [PLAIN]
    with pytest.raises(MissingKey, match=VARIABLE):
        await keyless.decode(await Encryption([NEW]).encode([PLAIN]))


def test_keys_come_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert payload_keys() == []
    create_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "key")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    assert isinstance(data_converter().payload_codec, Encryption)


@pytest.mark.parametrize("content", [None, b"", b"not base64!", base64.b64encode(b"short")])
def test_a_bad_key_file_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(VARIABLE, str(file))
    with pytest.raises(ValueError, match=f"{VARIABLE}: {file}"):
        payload_keys()


@asynccontextmanager
async def codec_server(folder: Path) -> AsyncIterator[tuple[str, Encryption]]:
    create_key(folder / "key")
    [port] = free_ports(1)
    env = os.environ | {VARIABLE: str(folder / "key")}
    process = await asyncio.create_subprocess_exec(
        *(ENCODING, "codec-server", "--port", str(port)), env=env, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                break
        yield f"http://127.0.0.1:{port}", Encryption([base64.b64decode((folder / "key").read_bytes())])
    finally:
        process.terminate()
        await process.wait()


def as_json(payload: Payload) -> dict[str, Any]:
    def text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    return {"metadata": {name: text(value) for name, value in payload.metadata.items()}, "data": text(payload.data)}


async def test_the_codec_server_answers_the_ui_and_no_other_page(tmp_path: Path) -> None:
    async with codec_server(tmp_path) as (url, codec), aiohttp.ClientSession() as browser:
        [encrypted] = await codec.encode([PLAIN])
        body, ui = {"payloads": [as_json(encrypted)]}, {"Origin": ORIGIN}
        async with browser.options(f"{url}/decode", headers=ui) as asked:
            assert asked.status == 200
            assert "content-type" in asked.headers["Access-Control-Allow-Headers"]
        async with browser.post(f"{url}/decode", json=body, headers=ui) as answer:
            assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
            assert await answer.json() == {"payloads": [as_json(PLAIN)]}
        async with browser.post(f"{url}/encode", json={"payloads": [as_json(PLAIN)]}, headers=ui) as answer:
            assert b"s3cret" not in await answer.read()
        async with browser.post(f"{url}/decode", json=body, headers={"Origin": "http://elsewhere"}) as answer:
            assert answer.status == 403
        for garbage in (b"", b"{", json.dumps({"payloads": 1}).encode(), b'{"payloads": [{"data": 7}]}'):
            async with browser.post(f"{url}/decode", data=garbage, headers=ui) as answer:
                assert answer.status == 400, garbage
        async with browser.post(f"{url}/decode", data=io.BytesIO(bytes(9_000_000)), headers=ui) as answer:
            assert answer.status == 413
        [foreign] = await Encryption([OLD]).encode([PLAIN])
        async with browser.post(f"{url}/decode", json={"payloads": [as_json(foreign)]}, headers=ui) as answer:
            assert answer.status == 422
