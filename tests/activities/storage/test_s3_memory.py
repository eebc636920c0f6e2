"""Large files cost no memory: measured in a process of its own, which has done nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.activities.storage.s3_doing import s3_location
from tests.servers.s3 import S3

GIB = 1 << 30
MOST_MIB = 300
SCRIPT = """\
import asyncio, sys
from pathlib import Path
from activities.storage.config import S3CompatibleLocation
from tests.activities.storage.doing import fetch, store

way, path, location = sys.argv[1], Path(sys.argv[2]), S3CompatibleLocation.model_validate_json(sys.argv[3])
asyncio.run(store(location, path, "x.mp4") if way == "up" else fetch(location, "x.mp4", path))
# Not from getrusage: what the process that started this one had taken would count.
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak) // 1024)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_gigabytes_take_less_than_300_mib_of_memory(s3: S3, tmp_path: Path) -> None:
    location = s3_location(s3, "memory").model_dump_json()
    with (tmp_path / "x").open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(2 * GIB // 64))
    for way, path in (("up", tmp_path / "x"), ("down", tmp_path / "back")):
        command = [sys.executable, "-c", SCRIPT, way, str(path), location]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert int(done.stdout) < MOST_MIB, way
    assert (tmp_path / "back").stat().st_size == 2 * GIB
