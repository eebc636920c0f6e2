"""`make bench`: side by side in one run; prints ratios, asserts nothing: machines are noisy."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import chunks, crowd, delivery, fleet, overhead, quality, soak, transfer

ROUNDS = 3
BENCHMARKS = {
    "overhead": overhead.measure,
    "quality": quality.measure,
    "chunks": chunks.measure,
    "delivery": delivery.measure,
    "transfer": transfer.measure,
    "fleet": fleet.measure,
    "crowd": crowd.measure,
    "soak": soak.measure,
}
LONG = {"soak"}
"""Only where they are asked for."""


async def main(names: list[str], rounds: int) -> None:
    """Run the benchmarks and print their tables."""
    os.environ["ENCODING_PRIVATE_HOSTS"] = "127.0.0.0/8"  # receivers and storages are on this machine
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            for table in await BENCHMARKS[name](Path(scratch), rounds):
                Console(width=120).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "name", nargs="*", choices=BENCHMARKS, default=[name for name in BENCHMARKS if name not in LONG]
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    asyncio.run(main(asked.name, asked.rounds))
    sys.stdout.flush()
    os._exit(0)  # see workflows/cli.py
