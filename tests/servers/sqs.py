from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.servers.environment import SERVERS
from tests.servers.ports import free_ports
from tests.servers.process import Process

PROGRAM = str(SERVERS / "ministack")


class Sqs:
    """An emulation of Amazon SQS; the service itself exists in the cloud alone. It checks no credentials."""

    region = "eu-central-1"
    key_id = "AKIAEXAMPLE"
    secret = "s3cret-Key"

    def __init__(self, folder: Path) -> None:
        [port] = free_ports(1)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        env = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": "sqs", "HOME": str(folder)}
        self._process = Process([PROGRAM], folder / "sqs.log", self._answers, env, "make test")
        self.start = self._process.start
        self.stop = self._process.stop
        self.kill = self._process.kill
        self.restart = self._process.restart

    @property
    def client(self) -> Any:
        return boto3.client(
            "sqs",
            endpoint_url=self.url,
            region_name=self.region,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create_queue(self, name: str, **attributes: str) -> str:
        """Returns the queue's URL."""
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def drain(self, queue_url: str) -> list[dict[str, Any]]:
        """All messages as SQS hands them out."""
        client, messages = self.client, []
        while batch := client.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in batch:
                messages.append(message)
                client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    def _answers(self) -> bool:
        try:
            self.client.list_queues()
        except (BotoCoreError, ClientError):
            return False
        return True
