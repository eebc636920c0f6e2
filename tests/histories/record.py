"""Run jobs of every kind on real servers and keep the histories that are missing: `make histories`."""

import asyncio
import json
import socket
import tempfile
from pathlib import Path

from tests.clips import Clips
from tests.histories.scenarios import SCENARIOS, Scenario, Stage
from tests.integration.service import ROOT, running
from tests.servers.process import started
from tests.servers.temporal import TemporalServer

FOLDER = Path(__file__).parent
SETTINGS = {"ENCODING_SWEEP_SECONDS": "86400", "ENCODING_PRIVATE_HOSTS": "127.0.0.1"}


def record(missing: dict[str, Scenario]) -> None:
    """Each by a service of its own: some leave theirs damaged."""
    with tempfile.TemporaryDirectory() as scratch:
        server, clips = TemporalServer(Path(scratch)), Path(scratch) / "clips"
        clips.mkdir()
        with started(server):
            for name, scenario in missing.items():
                with running(Path(scratch) / name, server.address, **SETTINGS) as service:
                    asyncio.run(_keep(scenario, Stage(service, Clips(clips)), FOLDER / f"{name}.json"))


async def _keep(scenario: Scenario, stage: Stage, path: Path) -> None:
    handle = await scenario(stage)
    text = (await handle.fetch_history()).to_json()
    # Nobody's business: stack traces hold the place of this checkout, and whoever did something the machine's name.
    text = text.replace(str(ROOT), "/encoding").replace(f"@{socket.gethostname()}", "@worker")
    path.write_text(json.dumps(json.loads(text), separators=(",", ":")) + "\n")
    print(path.name)  # noqa: T201


def main() -> None:
    record({name: scenario for name, scenario in SCENARIOS.items() if not (FOLDER / f"{name}.json").exists()})


if __name__ == "__main__":
    main()
