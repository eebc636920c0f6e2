"""Turns what activities do into the documented events and codes; phases and activities know nothing of either.

- around an activity: any exception becomes an ApplicationError with the documented name and code;
- around the workflow's activities: the outcome of each becomes its event, before the awaiting code goes on;
- around the workflow: exactly one JobSuccess or FinalError, last, delivered before the run closes.
"""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RawValue
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleSignalInput,
    Interceptor,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from activities.errors import ErrorCode, ErrorDetails, JobError
from activities.notify import PROGRESS_SIGNAL, EventLog, Milestone
from activities.server import Run, registered_search_attributes, request_cancel
from activities.settings import Settings
from workflows.board import Board
from workflows.job import InvalidJob, Job, Undecodable, publishers_of, sender_of
from workflows.lifecycle import STEPS, Outcome, Step, final_error, job_success, reason
from workflows.options import WORKFLOW
from workflows.outbox import Outbox
from workflows.record import Record

BUG_ATTEMPTS = 3
"""Attempts for an error that nobody foresaw: it may have been a hiccup, but probably is a bug."""
MAX_MESSAGE = 2000
MAX_REASON = 500
LOCAL_TIMEOUT = timedelta(minutes=1)
CANCEL_INTERVAL = timedelta(seconds=30)
"""Between two requests to cancel, where the server refuses them."""


class LifecycleInterceptor(Interceptor):
    """The one interceptor of a worker.

    Args:
        delivery_deadline: how long the end of a job waits for receivers that are down.
    """

    def __init__(self, delivery_deadline: timedelta) -> None:
        self.delivery_deadline = delivery_deadline

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _Activity(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: ARG002
    ) -> type[WorkflowInboundInterceptor] | None:
        """See base class."""
        deadline = self.delivery_deadline

        class Inbound(_Workflow):
            delivery_deadline = deadline

        return Inbound


class _Activity(ActivityInboundInterceptor):
    """An exception that leaves here carries no stack trace, no cause and no secret: it goes into history."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except ApplicationError:
            raise
        except JobError as error:
            activity.logger.warning("%s: %s", error.code.title, error, exc_info=error)
            final = not error.retryable or activity.info().attempt >= Settings.from_environment().fault_attempts
            raise _application_error(error.code, str(error), final=final) from None
        except Exception as error:  # noqa: BLE001 - the last place where an error can get its code
            activity.logger.exception("unexpected error in activity %s", activity.info().activity_type)
            text = (
                f"The service failed unexpectedly in {activity.info().activity_type} ({type(error).__name__}); "
                "the worker's log has the details"
            )
            final = activity.info().attempt >= BUG_ATTEMPTS
            raise _application_error(ErrorCode.INTERNAL, text, final=final) from None


def _application_error(code: ErrorCode, text: str, *, final: bool) -> ApplicationError:
    details = ErrorDetails(code.number, code.title)
    return ApplicationError(text[:MAX_MESSAGE], details, type=code.title, non_retryable=final)


class _Workflow(WorkflowInboundInterceptor):
    """The life of a job around its phases."""

    delivery_deadline: timedelta
    fault: Exception | None = None
    """An error of our own that no code awaits."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self.record = Record()
        super().init(_Activities(outbound, self))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        info = workflow.info()
        if info.workflow_type != WORKFLOW:
            return await super().execute_workflow(input)
        description: Any = _decoded(input.args[0]) if input.args else None
        sender = sender_of(description, info.workflow_id, info.original_execution_run_id, info.namespace)
        self.outbox = Outbox(sender, publishers_of(description))
        self.board = Board(sender)
        self.main = asyncio.current_task()
        self.cancel_reason = ""
        self._listen()
        if self.outbox.lanes:
            self.checking = asyncio.create_task(self._check_receivers())
        try:
            self.board.make_searchable(await _local(registered_search_attributes))
            self.job, self.description = Job.parse(description), description
            input.args = [self.job]
            output: dict[str, str] = await super().execute_workflow(input)
        except (Exception, asyncio.CancelledError) as error:
            if _is_eviction(error) and not self.fault:
                raise
            failure = self._fail(self.fault or error)
            await self._drain()
            raise failure from None
        self.board.succeeded()
        self.outbox.emit(job_success(output))
        await self._drain()
        return {"JobId": sender.job_id, "Output": output, "Undelivered": self._undelivered()}

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """Leave one alone that has too many arguments, or too few: the error would hold the run up for ever."""
        try:
            await super().handle_signal(input)
        except TypeError as error:
            workflow.logger.warning("the signal %s is ignored: %s", input.signal, error)

    async def _check_receivers(self) -> None:
        self.board.warn(await self.outbox.check())

    def finished(self, step: Step, request: Any, task: "asyncio.Task[Any]") -> None:
        """An activity has ended: tell what that means, before the code that awaits it goes on."""
        try:
            self._tell(step, request, task)
        except Exception as error:  # noqa: BLE001
            # Nobody awaits a callback: hand the error to the job instead of losing it together with the event.
            workflow.logger.exception("no event could be made of %s", step.phase)
            self.fault = error
            if self.main:
                self.main.cancel()

    def _tell(self, step: Step, request: Any, task: "asyncio.Task[Any]") -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or (error and is_cancelled_exception(error)):
            return
        result = None if error else task.result()
        outcome = Outcome(self.job, request, result, self.record, self.description)
        if isinstance(error, ActivityError):
            if step.failure:
                self.outbox.emit(step.failure(reason(error)), step.watch(outcome))
        elif step.event:
            if body := step.event(outcome):
                self.outbox.emit(body, step.watch(outcome))
        elif plan := step.watch(outcome):
            self.outbox.watch(plan)

    def _fail(self, error: BaseException) -> Exception:
        """Emit the FinalError; returns what the run is to end with."""
        cancelled = workflow.cancellation_reason() is not None
        if not isinstance(error, FailureError | InvalidJob | asyncio.CancelledError):
            workflow.logger.error("unexpected error in the workflow", exc_info=error)
        body = final_error(CancelledError() if cancelled else error, self.board.phase, self.cancel_reason)
        self.board.failed(body, cancelled=cancelled)
        self.outbox.emit(body)
        if cancelled:
            return CancelledError(body.message)
        return ApplicationError(body.message, body.to_json_object(), type=body.error, non_retryable=True)

    async def _drain(self) -> None:
        """Deliver what is left, also when the job is cancelled meanwhile: that comes too late to change anything."""
        drain = asyncio.create_task(self.outbox.drain(self.delivery_deadline))
        try:
            await asyncio.shield(drain)
        except asyncio.CancelledError as error:
            if _is_eviction(error):
                raise
            await drain
        self.board.warn(
            [
                f"{each['Pending']} events not delivered to {each['Publisher']}: {each['Reason']}"
                for each in self._undelivered()
            ]
        )

    def _undelivered(self) -> list[dict[str, Any]]:
        return [
            {"Publisher": lane.address, "Pending": lane.pending, "Reason": lane.failure}
            for lane in self.outbox.lanes
            if lane.failure
        ]

    def _listen(self) -> None:
        workflow.set_signal_handler("cancel", self._cancel)
        workflow.set_signal_handler(PROGRESS_SIGNAL, self._progress_reported)
        workflow.set_query_handler("progress", self._progress)
        workflow.set_query_handler("events", self._events)

    async def _cancel(self, reason: Any = None, *_: Any) -> None:
        """Signal: the same as cancelling the run, with a reason."""
        self.cancel_reason = str(reason)[:MAX_REASON].encode(errors="replace").decode() if reason else ""
        info = workflow.info()
        while True:
            try:
                await _local(request_cancel, Run(info.workflow_id, info.run_id))
            except ActivityError as error:  # it would end the run, without a word to anybody
                workflow.logger.error("the server does not take the request to cancel: %s", error.cause)
                await workflow.sleep(CANCEL_INTERVAL)
            else:
                return

    def _progress_reported(self, milestone: Milestone) -> None:
        """Signal of the reporter."""
        self.board.reached(milestone)

    def _progress(self) -> dict[str, Any]:
        """Query: the contract's section 7."""
        delivery = [
            {"Publisher": lane.address, "State": lane.state, "Pending": lane.pending} for lane in self.outbox.lanes
        ]
        return self.board.summary() | {"Delivery": delivery}

    def _events(self, after: int = 0) -> EventLog:
        """Query: the log without its first `after` events, and what can be watched now."""
        watching = self.outbox.watching
        return EventLog(self.outbox.log[after:], watching.watch if watching else None, self.record.undone)


class _Activities(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, life: _Workflow) -> None:
        super().__init__(next)
        self.life = life

    def start_activity(self, input: StartActivityInput) -> "workflow.ActivityHandle[Any]":
        handle = super().start_activity(input)
        if input.activity_id:
            self.life.record.follow(input.activity_id, handle)
        if step := STEPS.get(input.activity):
            self.life.board.enter(step.phase)
            handle.add_done_callback(lambda task: self.life.finished(step, input.args[0], task))
        return handle


def _decoded(argument: Any) -> Any:
    """The client's input; it comes undecoded, so that what does not decode can be answered."""
    if not isinstance(argument, RawValue):
        return argument
    try:
        return workflow.payload_converter().from_payload(argument.payload)
    except Exception:  # noqa: BLE001 - of whatever kind, depending on what the client sent
        return Undecodable()


async def _local(work: Any, *args: Any) -> Any:
    return await workflow.execute_local_activity(work, args=args, start_to_close_timeout=LOCAL_TIMEOUT)


def _is_eviction(error: BaseException) -> bool:
    """Whether the worker only drops the run from its memory: the run itself goes on, so nothing may be decided."""
    return isinstance(error, asyncio.CancelledError) and workflow.cancellation_reason() is None
