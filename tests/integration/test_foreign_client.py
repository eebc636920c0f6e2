"""A client that has none of our code: the real `temporal` command."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.clips import Clips
from tests.integration.service import Service
from tests.servers.temporal import PROGRAM, TemporalServer


def _temporal(server: TemporalServer, *arguments: str) -> Any:
    command = [PROGRAM, *arguments, "--address", server.address, "--output", "json"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


async def test_temporal_cli_starts_watches_and_cancels(
    service: Service, temporal_server: TemporalServer, clip: Clips, tmp_path: Path
) -> None:
    job_file = tmp_path / "job.json"
    job_file.write_text(json.dumps(service.job(service.source(clip(), name="foreign"))))
    start = ["workflow", "start", "--type", "EncodingJob", "--task-queue", "encoding"]
    _temporal(temporal_server, *start, "--workflow-id", "my-title", "--input-file", str(job_file))
    handle = (await service.client()).get_workflow_handle("my-title")
    result = await handle.result()
    assert set(result["Output"]) == {"dash", "hls"}
    assert [event["EventType"] for event in service.events(result["JobId"])][-1] == "JobSuccess"
    answer = _temporal(temporal_server, "workflow", "query", "--workflow-id", "my-title", "--type", "progress")
    progress = answer["queryResult"][0]
    assert progress["Phases"][-1] == {"Name": "Publishing", "State": "Done", "Progress": 100}
    assert progress["Delivery"][0] | {"Publisher": ""} == {"Publisher": "", "State": "Idle", "Pending": 0}


async def test_search_attributes_find_the_job(service: Service, temporal_server: TemporalServer, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="search"), ExternalId="needle", TenantId="tenant-7")
    job["MediaMappings"] = {"VideoStreamExpression": "no such file"}
    ended = await service.run(job)
    query = "ExternalId = 'needle' AND TenantId = 'tenant-7' AND ErrorCode = 1000 AND EncodingPhase = 'Acquisition'"
    found = _temporal(temporal_server, "workflow", "list", "--query", query)
    assert [run["execution"]["workflowId"] for run in found] == [ended.job_id]
