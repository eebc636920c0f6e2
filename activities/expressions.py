"""How much there is to a regular expression before it is compiled: its engine writes minimal repetitions out.

`(?:(?:.|x){1000}){1000}` has 24 characters, and takes gigabytes or the whole process with it. What looks at
expressions takes time that grows with their length alone: `re` lets no other thread run meanwhile.
"""

import re

COUNT = re.compile(r"(?P<group>[^\]\w.])?\{\s*(?P<least>\d+)")
"""A blank in front counts as a group, too: what it separates from the number is not looked for."""
CALL = re.compile(r"\\.|\(\?(?P<call>[R0-9&+]|-[^A-Za-z]|P[^<=])", re.DOTALL)
"""Steps over what is escaped. Blanks and comments can stand behind `+`, `-` and `P`."""
LONGEST = 1000
"""Characters of one expression."""
MOST = 5_000
"""Of one expression; more take longer than a tenth of a second."""
MOST_TOGETHER = 15_000
"""Of a job: they are compiled inside of its workflow, which must not stand still."""
DIGITS = 9
"""Of a number, at most: beyond, it is too large whatever follows."""


def size(expression: str) -> int:
    """At least the number of parts that it has once repetitions are written out.

    What is repeated is taken for a group unless it clearly is one character or class, and each group for one that holds
    all the others.
    """
    groups, parts = 1, len(expression)
    for found in COUNT.finditer(expression):
        least = int(found["least"].lstrip("0")[:DIGITS] or 1)
        if found["group"]:
            groups *= least
        else:
            parts += least
    return groups * parts


def has_calls(expression: str) -> bool:
    """Whether it calls a group of itself, as `(?R)`, `(?1)` and `(?&name)` do."""
    return any(found["call"] for found in CALL.finditer(expression))
