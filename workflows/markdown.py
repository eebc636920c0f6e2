"""Text in the Temporal UI, which reads it as Markdown."""

from workflows.logs import printable

MARKS = "\\`*_{}[]()<>#+!|~"
LONGEST_SUMMARY = 200
"""Characters."""


def plain(text: str) -> str:
    """What shows as `text` itself, on one line: no link, picture, table or heading that a client has named."""
    return "".join(f"\\{char}" if char in MARKS else char for char in printable(text))


def summary(text: str) -> str:
    """`plain`, cut to what is shown of a run or an activity in a list."""
    return plain(text)[:LONGEST_SUMMARY]
