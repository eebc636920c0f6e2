"""What a worker reads from its environment."""

import os
import subprocess
import sys

import pytest

from activities.settings import Settings, Version
from worker import _runtime
from workflows.logs import log_to_stderr


def version_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Version | None:
    for name, value in variables.items():
        monkeypatch.setenv(f"ENCODING_{name}", value)
    return Settings.from_environment().version


def test_where_metrics_cannot_be_told_and_how_much_cannot_be_logged_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_METRICS_ADDRESS", "localhost:9464")
    with pytest.raises(ValueError, match="ENCODING_METRICS_ADDRESS is 'localhost:9464'; it must be an IP address"):
        _runtime()
    with pytest.raises(ValueError, match="ENCODING_LOG_LEVEL is 'loud'; it must be DEBUG, "):
        log_to_stderr("loud")


def test_a_version_has_two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    assert version_with(monkeypatch) is None
    names = {"DEPLOYMENT": "encoding-fleet", "BUILD_ID": "1.4.0"}
    assert version_with(monkeypatch, **names) == Version("encoding-fleet", "1.4.0", pins=False)
    assert version_with(monkeypatch, VERSIONING="pinned") == Version("encoding-fleet", "1.4.0", pins=True)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"DEPLOYMENT": "fleet"}, "set both, or neither"),
        ({"BUILD_ID": "1"}, "set both, or neither"),
        ({"DEPLOYMENT": "fleet.eu", "BUILD_ID": "1"}, "ENCODING_DEPLOYMENT is 'fleet.eu'; it may have letters"),
        ({"VERSIONING": "auto"}, "ENCODING_VERSIONING is 'auto'; it must be one of auto-upgrade, pinned"),
        ({"ROLE": "both"}, "ENCODING_ROLE is 'both'; it must be one of all, control, transcode"),
        ({"FILE_SLOTS": "0"}, "ENCODING_FILE_SLOTS is '0'; it must be a whole number from 1 to 1000000000"),
        ({"SWEEP_SECONDS": "1" * 11}, "ENCODING_SWEEP_SECONDS is '11111111111'; it must be a whole number from 0 to"),
        ({"STALL_SECONDS": "9" * 5000}, "ENCODING_STALL_SECONDS is '9{50}'; it must be a whole number"),
        ({"WORK_ROOT": ""}, "ENCODING_WORK_ROOT is ''; it must be an absolute path"),
        ({"WORK_ROOT": "work"}, "ENCODING_WORK_ROOT is 'work'; it must be an absolute path"),
    ],
)
def test_a_setting_that_is_none_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        version_with(monkeypatch, **variables)


HEAPS = """
import ctypes, threading
from worker import _share_one_heap
_share_one_heap()
library = ctypes.CDLL(None)
threads = [threading.Thread(target=library.malloc, args=[1000]) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library.malloc_info(0, ctypes.c_void_p.in_dll(library, "stdout"))
"""


@pytest.mark.parametrize(("given", "is_one"), [({}, True), ({"MALLOC_ARENA_MAX": "3"}, False)])
def test_the_threads_of_a_worker_share_one_heap(given: dict[str, str], *, is_one: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"} | given
    command = [sys.executable, "-c", HEAPS]
    told = subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout
    assert (told.count("<heap nr=") == 1) is is_one
