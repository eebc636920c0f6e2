"""What workflows ask of the server when a recorded history is replayed: their fingerprint, one command a line.

`python -m tests.histories.commands` renews what is kept of it beside each history.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.worker import Replayer, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from activities.settings import Settings
from workflows.plugin import control_plugin

HISTORIES = sorted(Path(__file__).parent.glob("*.json"))
DETAILS: dict[str, Callable[[Any], str]] = {
    "schedule_activity": lambda c: f"{c.activity_type} {c.activity_id}{_elsewhere(c.task_queue)}",
    "schedule_local_activity": lambda c: f"{c.activity_type} {c.activity_id}",
    "start_timer": lambda c: f"{c.start_to_fire_timeout.ToSeconds()} s",
    "set_patch_marker": lambda c: f"{c.patch_id}{' (deprecated)' if c.deprecated else ''}",
    "upsert_workflow_search_attributes": lambda c: ", ".join(sorted(c.search_attributes.indexed_fields)),
    "modify_workflow_properties": lambda c: ", ".join(sorted(c.upserted_memo.fields)),
    "start_child_workflow_execution": lambda c: f"{c.workflow_type} {c.workflow_id} on {c.task_queue}",
    "signal_external_workflow_execution": lambda c: c.signal_name,
}


@dataclass
class Replayed:
    """What came of a history, with today's code."""

    commands: list[str] = field(default_factory=list)
    asked: list[WorkflowCommand] = field(default_factory=list)
    """The commands themselves."""
    failure: Exception | None = None
    """Why a job with this history could not go on."""


def kept(history: Path) -> Path:
    """Where the commands of a history are kept."""
    return history.with_suffix(".commands")


async def replayed(name: str, text: str) -> Replayed:
    """Replay the history in `text`, and listen."""
    found = Replayed()
    listening = SimplePlugin("listening", workflow_runner=lambda runner: _Listening(runner, found))
    replayer = Replayer(workflows=[], plugins=[control_plugin(Settings.from_environment()), listening])
    result = await replayer.replay_workflow(WorkflowHistory.from_json(name, text), raise_on_replay_failure=False)
    found.failure = result.replay_failure
    return found


class _Listening(WorkflowRunner):
    """Writes down what the workflows of another runner are told and ask."""

    def __init__(self, runner: WorkflowRunner | None, found: Replayed) -> None:
        assert runner
        self._runner = runner
        self._found = found
        self.prepare_workflow = runner.prepare_workflow  # type: ignore[method-assign]
        self.set_worker_level_failure_exception_types = (  # type: ignore[method-assign]
            runner.set_worker_level_failure_exception_types
        )

    def prepare_workflow(self, defn: Any) -> None:
        raise NotImplementedError

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = self._runner.create_instance(det)
        activate = instance.activate

        def listening(act: WorkflowActivation) -> WorkflowActivationCompletion:
            completion = activate(act)
            self._found.asked += completion.successful.commands
            self._found.commands += [*_told(act), *map(_line, completion.successful.commands)]
            return completion

        instance.activate = listening  # type: ignore[method-assign]
        return instance


def _told(activation: WorkflowActivation) -> Iterator[str]:
    """What comes from outside; what the job's own activities and timers answer follows from its commands."""
    for job in activation.jobs:
        if job.HasField("initialize_workflow"):
            yield f"{job.initialize_workflow.workflow_type} begins"
        elif job.HasField("signal_workflow"):
            yield f"is told: {job.signal_workflow.signal_name}"
        elif job.HasField("cancel_workflow"):
            yield "is cancelled"


def _line(command: WorkflowCommand) -> str:
    kind = command.WhichOneof("variant") or "nothing"
    detail = DETAILS[kind](getattr(command, kind)) if kind in DETAILS else ""
    return f"  {kind.replace('_', ' ')} {detail}".rstrip()


def _elsewhere(queue: str) -> str:
    """Where a command leaves the queue of its workflow, which a replayer calls by a name of its own."""
    return "" if queue.startswith("replay-") else f" on {queue}"


async def _renew(histories: Sequence[Path]) -> None:
    for path in histories:
        found = await replayed(path.stem, path.read_text())
        if found.failure:
            sys.exit(f"{path.name} does not replay, so that its commands stay as they are: {found.failure}")
        kept(path).write_text("\n".join(found.commands) + "\n")


if __name__ == "__main__":
    import asyncio
    import sys

    asyncio.run(_renew(HISTORIES))
