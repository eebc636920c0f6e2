"""Jobs of every kind, while everything that they need is killed, frozen, cut off and slowed down at random."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.faults import Injection
from tests.chaos.jobs import CLIPS, FILMS, Jobs
from tests.chaos.run import Run, Storm
from tests.chaos.world import World
from tests.clips import Clips

SHORT = Storm(
    kinds=CLIPS[:2],
    jobs=4,
    at_once=2,
    pause=1.0,
    frozen=10.0,
    seed=1,
    first=[
        Injection(0.5, "kill worker", "0", 0.2),
        Injection(0.5, "lose answers", "rabbitmq", 0.5),
        Injection(0.5, "freeze worker", "1", 0.9),
        Injection(0.5, "reset", "temporal", 0.0),
        Injection(1, "kill server", "bus", 0.1),
        Injection(3, "kill server", "temporal", 0.1),
        Injection(3, "kill tool", "ffmpeg", 0.0),
    ],
    faults=8,
)


@dataclass(frozen=True)
class Stage:
    """Where a storm takes place."""

    folder: Path
    clip: Clips
    tell: Callable[[str], object]

    async def survived(self, storm: Storm, workers: int, heartbeat: int) -> None:
        small = self.clip(seconds=3, size="64x36", audio="mono")
        film = self.clip(seconds=120, size="64x36", audio="mono")
        with World(self.folder, workers, heartbeat) as world:
            report = await Run(world, Jobs(world, small, film), storm, self.tell).survived()
        self.tell(str(report))
        assert report.problems == []
        assert report.faults
        assert report.looks


@pytest.fixture
def stage(tmp_path: Path, clip: Clips, capsys: pytest.CaptureFixture[str]) -> Stage:
    def tell(line: str) -> None:
        """At once, to who waits for the end."""
        with capsys.disabled():
            sys.stdout.write(f"{line}\n")

    return Stage(tmp_path, clip, tell)


async def test_jobs_survive_a_few_faults(stage: Stage) -> None:
    await stage.survived(SHORT, workers=2, heartbeat=8)


@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_jobs_survive_many_faults(stage: Stage) -> None:
    """`docs/reliability.md` tells of the variables."""
    storm = Storm(
        kinds=[*CLIPS, *FILMS],
        jobs=_setting("CHAOS_JOBS", 200),
        at_once=8,
        pause=_setting("CHAOS_PAUSE", 2),
        frozen=45.0,
        seed=_setting("CHAOS_SEED", 1),
        seconds=_setting("CHAOS_SECONDS", 3600),
    )
    await stage.survived(storm, workers=3, heartbeat=_setting("CHAOS_HEARTBEAT_SECONDS", 30))


def _setting(name: str, default: int) -> int:
    return int(os.environ.get(name, default))
