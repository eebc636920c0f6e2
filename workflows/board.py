"""What people see of a job: the phase table in the UI, the search attributes, the `progress` query."""

from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

from activities.notify import Milestone
from activities.server import ENCODING_PHASE, ERROR_CODE, EXTERNAL_ID, TENANT_ID
from publishers.events import FinalError, Sender
from publishers.urls import CONTROL
from workflows.lifecycle import Phase
from workflows.markdown import plain

MAX_KEYWORD = 255
"""Characters."""


def keyword(text: str) -> str:
    """What every visibility store takes of a client's text; PostgreSQL takes no NUL."""
    return CONTROL.sub("", text)[:MAX_KEYWORD]


class Board:
    """State and percent of each phase; never goes back."""

    def __init__(self, sender: Sender) -> None:
        self.phase = Phase.PRE_VALIDATION
        self.states = dict.fromkeys(Phase, "Waiting")
        self.percents = dict.fromkeys(Phase, 0)
        self.remaining_seconds: int | None = None
        self.error: FinalError | None = None
        self.warnings: list[str] = []
        self._sender = sender
        self._registered: list[str] = []
        self._start(self.phase)

    def make_searchable(self, registered: list[str]) -> None:
        """Set the search attributes that the server knows; one that it does not know would stop the run for ever."""
        self._registered = registered
        self._search(TENANT_ID.value_set(keyword(self._sender.tenant_id)))
        if self._sender.external_id:
            self._search(EXTERNAL_ID.value_set(keyword(self._sender.external_id)))
        self._search(ENCODING_PHASE.value_set(self.phase.value))

    def enter(self, phase: Phase) -> None:
        """An activity of `phase` starts: the phases before it are done."""
        if phase != self.phase:
            self._complete_until(phase)
            self._start(phase)

    def reached(self, milestone: Milestone) -> None:
        """A phase has come further; one that is over has no news any more."""
        if milestone.phase not in ("", self.phase):
            return
        self.percents[self.phase] = max(self.percents[self.phase], milestone.percent)
        self.remaining_seconds = milestone.remaining_seconds
        self._show()

    def succeeded(self) -> None:
        """Everything is done."""
        self._complete_until(None)
        self._show()

    def failed(self, error: FinalError, *, cancelled: bool) -> None:
        """The job ended in its current phase."""
        self.error = error
        self.states[self.phase] = "Cancelled" if cancelled else "Failed"
        self._search(ERROR_CODE.value_set(error.code))
        self._show()

    def warn(self, warnings: list[str]) -> None:
        """What the client should know and the events do not tell."""
        self.warnings += warnings
        self._show()

    def summary(self) -> dict[str, Any]:
        """The answer to the `progress` query, without its `Delivery`."""
        return {
            "Phase": self.phase.value,
            "Progress": self.percents[self.phase],
            "Phases": [
                {"Name": phase.value, "State": self.states[phase], "Progress": self.percents[phase]} for phase in Phase
            ],
            "RemainingSeconds": self.remaining_seconds,
        }

    def _start(self, phase: Phase) -> None:
        self.phase = phase
        self.states[phase] = "Running"
        self.remaining_seconds = None
        self._search(ENCODING_PHASE.value_set(phase.value))
        self._show()

    def _complete_until(self, next_phase: Phase | None) -> None:
        for phase in Phase:
            if phase == next_phase:
                break
            ran = self.states[phase] == "Running"
            if ran or self.states[phase] == "Done":
                self.states[phase], self.percents[phase] = "Done", 100
            else:
                self.states[phase] = "Skipped"

    def _search(self, update: SearchAttributeUpdate[Any]) -> None:
        if update.key.name in self._registered:
            workflow.upsert_search_attributes([update])

    def _show(self) -> None:
        rows = [f"| {phase} | {self.states[phase]} | {self.percents[phase]} % |" for phase in Phase]
        lines = ["| Phase | State | Progress |", "|---|---|---|", *rows]
        if self.error:
            lines += ["", f"**{self.error.code} {self.error.error}**: {plain(self.error.message)}"]
        lines += [line for warning in self.warnings for line in ("", f"⚠ {plain(warning)}")]
        workflow.set_current_details("\n".join(lines))
