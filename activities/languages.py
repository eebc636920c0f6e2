"""Language codes: whatever files and containers write, as one canonical tag."""

import langcodes

UNKNOWN = frozenset({"und", "mis", "mul", "zxx", "x"})
"""First parts of tags that name no one language."""
LONGEST = 50
"""Characters of a code: tags of containers can hold anything."""


def canonical(code: str) -> str | None:
    """The shortest BCP 47 tag: `eng` and `EN` become `en`, `ger` becomes `de`, `pt_br` becomes `pt-BR`.

    None where `code` is no language, or says that there is no one language (`und`, `mul`, …).
    """
    if len(code) > LONGEST:
        return None
    try:
        tag = langcodes.standardize_tag(code.strip())
    except ValueError:
        return None
    return tag if tag.split("-")[0] not in UNKNOWN and langcodes.tag_is_valid(tag) else None


def title(tag: str, *, native: bool) -> str:
    """What people call a language: in English, `German`, or in the language itself, `Deutsch`."""
    language = langcodes.Language.get(tag)
    return language.autonym() if native else language.display_name()
