"""XML as untrusted files have it: no definitions, bounded depth, and names without their namespace.

TTML changed its namespaces three times, and files in the wild mix them or leave them out; the local names never
changed and never collide.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from activities.text.cues import UnreadableError

DEEPEST = 64
MOST_ELEMENTS = 200_000
Attributes = dict[str, str]


@dataclass(slots=True)
class Element:
    """One element, with text and elements in their order."""

    name: str
    attributes: Attributes
    children: list["Element | str"] = field(default_factory=list)

    def elements(self, *names: str) -> Iterator["Element"]:
        """The children of these names."""
        return (child for child in self.children if isinstance(child, Element) and child.name in names)


class _Tree:
    def __init__(self) -> None:
        self.root = Element("", {})
        self._open = [self.root]
        self._count = 0

    def start(self, name: str, attributes: Attributes) -> None:
        self._count += 1
        if len(self._open) > DEEPEST or self._count > MOST_ELEMENTS:
            raise UnreadableError(f"it has more than {DEEPEST} levels or {MOST_ELEMENTS} elements")
        element = Element(_local(name), {_local(key): value for key, value in attributes.items()})
        self._open[-1].children.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].children.append(data)


def parsed(text: str) -> Element:
    """The root element.

    Raises:
        UnreadableError: it is not XML, holds definitions, or is too deep or too large.
    """
    tree = _Tree()
    # The declaration may name the encoding that the text once had.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.text
    parser.StartDoctypeDeclHandler = _refuse_definitions
    try:
        parser.Parse(text.lstrip().encode(), True)  # noqa: FBT003 - expat names no argument
    except expat.ExpatError as error:
        raise UnreadableError(f"it is not well-formed XML: {error}") from None
    return next(tree.root.elements(*[child.name for child in tree.root.children if isinstance(child, Element)]))


def _refuse_definitions(_name: str, _system: str | None, _public: str | None, definitions: int) -> None:
    """Entities multiply text, and defaults of attributes are copied into every element. No other file is read."""
    if definitions:
        raise UnreadableError("its DOCTYPE holds definitions; remove them, and write out what they stand for")


def _local(name: str) -> str:
    return name.rpartition(":")[2]
