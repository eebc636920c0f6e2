"""What an operator sees: the Temporal UI in a real browser."""

import asyncio
import os
import signal

from playwright.async_api import expect

from tests.clips import Clips
from tests.integration.browser import chromium
from tests.integration.service import Service
from tests.servers.temporal import TemporalServer


async def test_the_ui_shows_title_phases_and_what_each_activity_does(
    service: Service, temporal_server: TemporalServer, clip: Clips
) -> None:
    source = service.source(clip(seconds=20, size="1280x720"), name="ui")
    job = service.job(source, ExternalId="The Film of the Test", ContentProcessing={"OutputFormat": ["Dash"]})
    client = await service.client()
    handle = await client.start_workflow(
        "EncodingJob", job, id="ui-job", task_queue="encoding", static_summary="The Film of the Test"
    )
    while (await handle.query("progress"))["Phases"][3]["Progress"] < 10:
        await asyncio.sleep(0.1)
    encoders = service.tools()
    assert encoders
    for pid in encoders:
        os.kill(pid, signal.SIGSTOP)  # a browser takes its time; what it is to show shall still be running
    expect.set_options(timeout=60_000)
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{temporal_server.ui}/namespaces/default/workflows/ui-job")
        for activity in ("encode video chunk 1 of 1", "progress of Encoding to Temporal UI"):
            await expect(page.get_by_text(activity).first).to_be_visible()
        await page.get_by_text("User Metadata").first.click()
        summary, details = (page.frame_locator("iframe").nth(place) for place in (0, 1))
        await expect(summary.get_by_text("The Film of the Test")).to_be_visible()
        for cells in ("Acquisition Done 100 %", "Encoding Running", "Publishing Waiting 0 %"):
            await expect(details.get_by_role("row", name=cells)).to_be_visible()
        await page.get_by_text("Search Attributes").first.click()
        for attribute in ("EncodingPhase", "ExternalId", "TenantId"):
            await expect(page.get_by_text(attribute).first).to_be_visible()
    await handle.cancel()
    await service.end(handle)
