"""The formats of the title: each is packaged, sent and published by itself, or taken back."""

import asyncio
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from activities.deliver import Delivered, DeliverRequest, Sent, deliver, send_media
from activities.package import Packaged, PackagedFormat, PackageRequest, package
from activities.processing import OutputFormat
from workflows.film import together
from workflows.job import Job
from workflows.options import deliver_activity_id, package_activity_id, send_activity_id
from workflows.tasks import stopped
from workflows.turns import Step

APART = "formats-apart"
"""Names the change since which formats are packaged by themselves, for jobs that were begun before it."""


class Output:
    """Media of a format is sent while there is still something else to do; what leads to it is published last."""

    def __init__(self, job_id: str, job: Job, step: Step) -> None:
        self._id = job_id
        self._job = job
        self._step = step
        self._sends: dict[OutputFormat, asyncio.Task[Sent | None]] = {}
        self.begun: list[PackagedFormat] = []
        """What may be at its place, whole or in part."""

    async def packaged(self, request: PackageRequest) -> list[PackagedFormat]:
        """All formats."""
        if self._job.sends_ahead and workflow.patched(APART):
            formats: list[PackagedFormat] = await together(*(self._alone(request, name) for name in request.formats))
            return formats
        made: Packaged = await self._step(package, request)
        return made.formats

    async def published(self, formats: list[PackagedFormat]) -> dict[str, str]:
        """Their absolute manifest links, under `dash` and `hls`."""
        links: dict[str, str] = {}
        for output in formats:
            if output not in self.begun:
                self.begun.append(output)
            sending = self._sends.get(output.type)
            request = self._request(output, await sending if sending else None)
            delivered: Delivered = await self._step(
                deliver, request, activity_id=deliver_activity_id(output.type), detail=f"({output.type})"
            )
            links |= delivered.links
        return links

    async def stop(self) -> None:
        """Returns when nothing is sent any more."""
        await stopped(*self._sends.values())

    async def _alone(self, request: PackageRequest, name: OutputFormat) -> PackagedFormat:
        made: Packaged = await self._step(
            package, replace(request, only=name), activity_id=package_activity_id(name), detail=f"({name})"
        )
        [output] = made.formats
        if output.archiving != "SingleTar":  # the one archive holds the manifests, which are not final yet
            self.begun.append(output)
            self._sends[name] = asyncio.create_task(self._sent(output))
        return output

    async def _sent(self, output: PackagedFormat) -> Sent | None:
        """None if it failed: it is tried again, and told, when the format is published."""
        name = output.type
        try:
            sent: Sent = await self._step(
                send_media, self._request(output), activity_id=send_activity_id(name), detail=f"({name})"
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("%s of job %s was not sent ahead: %s", name, self._id, error.cause)
            return None
        return sent

    def _request(self, output: PackagedFormat, sent: Sent | None = None) -> DeliverRequest:
        return DeliverRequest(self._id, self._job.content_publishing, output, sent)
