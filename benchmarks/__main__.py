"""`make bench`: side by side in one run; prints ratios, asserts nothing: machines are noisy."""

import asyncio
import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import overhead

ROUNDS = 3


async def main() -> None:
    """Run every benchmark and print its table."""
    table = Table("what", "plain tools", "the service", "ratio", title=f"medians of {ROUNDS}, seconds")
    with tempfile.TemporaryDirectory() as scratch:
        for row in await overhead.measure(Path(scratch), ROUNDS):
            table.add_row(row.what, f"{row.plain:.2f}", f"{row.ours:.2f}", f"{row.ours / row.plain:.3f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)  # see workflows/cli.py
