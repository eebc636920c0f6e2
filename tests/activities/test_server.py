import asyncio
from datetime import timedelta
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import ActivityEnvironment

from activities.server import registered_search_attributes
from tests.servers.temporal import TemporalServer

KEYWORD, INT = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_INT


async def test_search_attributes_of_another_type_are_left_alone(temporal_server: TemporalServer) -> None:
    namespace, retention = f"shared-{uuid4()}", Duration()
    retention.FromTimedelta(timedelta(days=1))
    client = await Client.connect(temporal_server.address, namespace=namespace)
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    )
    wanted = {"TenantId": INT, "ErrorCode": KEYWORD, "EncodingPhase": KEYWORD, "Studio": KEYWORD}
    async with asyncio.timeout(30):
        while True:  # servers learn of a namespace some time later
            try:
                await client.operator_service.add_search_attributes(
                    AddSearchAttributesRequest(namespace=namespace, search_attributes=wanted)
                )
                break
            except RPCError:
                await asyncio.sleep(0.2)
    environment = ActivityEnvironment(client)
    async with asyncio.timeout(30):
        while not (found := await environment.run(registered_search_attributes)):
            await asyncio.sleep(0.2)
    assert found == ["EncodingPhase"]
