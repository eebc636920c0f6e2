"""How much there is to a regular expression before it is compiled: its engine writes minimal repetitions out.

`(?:(?:.|x){1000}){1000}` has 24 characters, and takes gigabytes or the whole process with it.
"""

import math
import re

COUNT = re.compile(r"(?P<group>[^\]\w.])?\s*\{\s*(?P<least>\d+)")
MOST = 5_000
"""Of one expression; more take longer than a tenth of a second."""
MOST_TOGETHER = 15_000
"""Of a job: they are compiled inside of its workflow, which must not stand still."""
DIGITS = 9
"""Of a number, at most: beyond, it is too large whatever follows."""


def size(expression: str) -> int:
    """At least the number of parts that it has once repetitions are written out.

    What is repeated may be a group, unless it clearly is one character or class; groups may be in each other, all of them.
    """
    counts = [(int(found["least"].lstrip("0")[:DIGITS] or 1), bool(found["group"])) for found in COUNT.finditer(expression)]
    parts = len(expression) + sum(least for least, of_group in counts if not of_group)
    return parts * math.prod(least for least, of_group in counts if of_group)
