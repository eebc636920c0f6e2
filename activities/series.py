"""Names of numbered files in few words: a film has thousands, and lists of them go into history again and again.

`video/1.m4s`, `video/2.m4s`, … become `video/<1-1800>.m4s`: no name that this service gives has such brackets.
"""

import re
from collections.abc import Iterable, Iterator

_NUMBERED = re.compile(r"(.*?)(0|[1-9]\d{0,8})(\.\w+)", re.ASCII)
_SERIES = re.compile(r"(.*)<(\d+)-(\d+)>(.*)", re.ASCII)


def shortened(names: Iterable[str]) -> list[str]:
    """The same names, in an order of our own."""
    plain, series = list[str](), dict[tuple[str, str], list[int]]()
    for name in names:
        folder, _, file = name.rpartition("/")
        if found := _NUMBERED.fullmatch(file):
            series.setdefault((f"{folder}/{found[1]}" if folder else found[1], found[3]), []).append(int(found[2]))
        else:
            plain.append(name)
    runs = [f"{start}{run}{end}" for (start, end), numbers in series.items() for run in _runs(sorted(numbers))]
    return [*plain, *runs]


def written_out(names: Iterable[str]) -> Iterator[str]:
    """All names again."""
    for name in names:
        if found := _SERIES.fullmatch(name):
            yield from (f"{found[1]}{number}{found[4]}" for number in range(int(found[2]), int(found[3]) + 1))
        else:
            yield name


def _runs(numbers: list[int]) -> Iterator[str]:
    """`<3-7>` for neighbours; a number alone stays as it is."""
    first = 0
    for place, number in enumerate(numbers, 1):
        if place == len(numbers) or numbers[place] != number + 1:
            yield f"<{numbers[first]}-{number}>" if number > numbers[first] else str(number)
            first = place
