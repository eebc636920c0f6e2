"""The targets of `test_damage`, with inputs that are led by what they make the code do (atheris, libFuzzer).

`pip install atheris`, which is not among the locked packages, and `python -m tests.fuzz.guided TTML --seconds 60`. What
it comes to see is kept below `--folder`, and used again the next time. It ends with the first input that leads to an
error that nobody has foreseen, and writes it there.
"""

import argparse
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["activities", "publishers", "workflows"]):
    from activities.storage.http.pages import NoListing
    from tests.fuzz.test_damage import LONGEST_TEXT, REFUSALS, TARGETS
from tests.fuzz.trying import check_told

LONGEST = 4096
"""Bytes of an input."""
STUCK_SECONDS = 10


def main() -> None:
    """Until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--folder", type=Path, default=Path("out/fuzz"))
    asked = parser.parse_args()
    sound, read = TARGETS[asked.target]
    seen = asked.folder / asked.target
    seen.mkdir(parents=True, exist_ok=True)
    (seen / "sound").write_bytes(sound)

    def one(data: bytes) -> None:
        try:
            read(data)
        except NoListing:
            pass
        except REFUSALS as error:
            check_told(error, most=LONGEST_TEXT)

    limits = [f"-max_total_time={asked.seconds}", f"-max_len={LONGEST}", f"-timeout={STUCK_SECONDS}"]
    atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={seen}/", str(seen)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
