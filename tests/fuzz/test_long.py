"""The long form: all of this with many times as many inputs, other ones each time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.trying import LONG

TIMES = os.environ.get(LONG, "20")


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_many_more_inputs_find_nothing() -> None:
    folder = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-o", "timeout=7200", str(folder)]
    ended = subprocess.run(command, env=os.environ | {LONG: TIMES}, cwd=folder.parent.parent, check=False)
    assert ended.returncode == 0
