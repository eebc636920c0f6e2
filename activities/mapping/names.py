"""Which parts a file may play by its name: as the job's expressions say, or by convention."""

import time
from dataclasses import dataclass

import regex

from activities.errors import AcquisitionError
from activities.languages import canonical
from activities.mapping.convention import by_convention
from activities.mappings import TEXT_FORMATS, Claim, MediaMappings, Rule, suffix

MATCH_SECONDS = 0.5
"""Backtracking can take exponential time: a match that takes longer fails the job."""
ALL_SECONDS = 10.0
"""What all matches together may take of a processor: many slow ones add up."""


@dataclass(frozen=True)
class _Reader:
    """A rule that is ready to be used."""

    rule: Rule
    expression: "regex.Pattern[str]"


class Names:
    """Reads names by the mappings of one job."""

    def __init__(self, mappings: MediaMappings) -> None:
        self._by_convention = mappings.media_detection == "Convention"
        self._video = _reader(mappings.video_rule())
        self._others = [_reader(rule) for rule in mappings.rules()]
        self._left = ALL_SECONDS

    def claims(self, name: str) -> list[Claim]:
        """The parts that the file `name` may play: video, one other, or both; none = it is ignored.

        Raises:
            AcquisitionError: the expressions take too long, or capture what is not a language.
        """
        if self._by_convention:
            return by_convention(name)
        other = next((claim for reader in self._others if (claim := self._claim(reader, name))), None)
        video = self._claim(self._video, name)
        return [claim for claim in (video, other) if claim]

    def _claim(self, reader: _Reader, name: str) -> Claim | None:
        rule = reader.rule
        if rule.part in {"subtitle", "caption"} and suffix(name) not in TEXT_FORMATS:
            return None
        match = self._search(reader, name)
        return match and Claim(rule.part, rule.language or _captured(match, rule, name), rule.descriptive)

    def _search(self, reader: _Reader, name: str) -> "regex.Match[str] | None":
        if self._left <= 0:
            raise AcquisitionError(
                f"the expressions of MediaMappings take more than {ALL_SECONDS:g} s on the names in the folder "
                f"(reached {name!r}); simplify them, or move files that the job does not need out of the folder"
            )
        begin = time.thread_time()
        try:
            # concurrent: other threads, and so the heartbeat, go on.
            return reader.expression.search(name, timeout=MATCH_SECONDS, concurrent=True)
        except TimeoutError:
            raise AcquisitionError(
                f"MediaMappings.{reader.rule.field} takes more than {MATCH_SECONDS} s on the file name {name!r}; "
                "simplify the expression: it repeats a repetition"
            ) from None
        finally:
            self._left -= time.thread_time() - begin


def _reader(rule: Rule) -> _Reader:
    return _Reader(rule, regex.compile(rule.expression))


def _captured(match: "regex.Match[str]", rule: Rule, name: str) -> str | None:
    """Groups of a video's expression are there for other reasons, unless one is called `lang`."""
    named = "lang" in match.re.groupindex
    code = match["lang"] if named else match[1] if match.re.groups and rule.part != "video" else None
    if code and not canonical(code):
        raise AcquisitionError(
            f"MediaMappings.{rule.field} finds {code!r} in the file name {name!r}, which is not a "
            "language code; correct the expression or the name"
        )
    return canonical(code) if code else None
