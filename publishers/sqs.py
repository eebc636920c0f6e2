"""Events to a queue of Amazon SQS, or of a service that speaks its protocol."""

import json
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    SSLError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from publishers.aws import guarded_client
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import AmazonSqs
from publishers.events import Message
from publishers.pace import HostError
from publishers.tls import authorities, is_cut_off

PATIENCE = 10
"""Seconds: to connect, and to wait for an answer."""

REFUSALS = {
    "AccessDenied": "does not let this key id use the queue",
    "AccessDeniedException": "does not let this key id use the queue",
    "InvalidAccessKeyId": "does not know this key id",
    "InvalidClientTokenId": "does not know this key id",
    "SignatureDoesNotMatch": "does not accept this secret",
    "AWS.SimpleQueueService.NonExistentQueue": "has no such queue; create it",
    "QueueDoesNotExist": "has no such queue; create it",
    "InvalidAddress": "does not know this address as a queue's",
    "InvalidParameterValue": "does not take the event: it is too large, or holds what SQS does not allow",
    "InvalidMessageContents": "does not take the event: it holds what SQS does not allow",
    "RequestExpired": "finds the clock of this worker wrong",
    "RequestTimeTooSkewed": "finds the clock of this worker wrong",
}
"""Error codes that stay the same however often one asks."""


class SqsConnection:
    """A client; it keeps its HTTP connection open by itself."""

    def __init__(self, config: AmazonSqs) -> None:
        session = boto3.session.Session(
            aws_access_key_id=config.credentials_name,
            aws_secret_access_key=config.credentials_secret,
            region_name=config.region,
        )
        # Whoever calls decides on the next attempt: a hidden one would take the time of all others.
        limits = Config(connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"total_max_attempts": 1})
        try:
            self._client = guarded_client(
                session, "sqs", endpoint_url=config.endpoint_url, verify=authorities(), config=limits
            )
        except (ValueError, BotoCoreError):
            # The queue is not named: others have the same connection.
            where = f"SQS in {config.region}" + (f" at {config.endpoint_url}" if config.endpoint_url else "")
            raise Refused(f"{where}: there can be no such service; check Region and EndpointUrl") from None

    def send(self, config: AmazonSqs, message: Message) -> None:
        """See base class."""
        order = {"MessageGroupId": message.job_id, "MessageDeduplicationId": message.event_id} if config.is_fifo else {}
        self._call(
            config,
            "send_message",
            MessageBody=_taken(json.dumps(message.body, ensure_ascii=False, separators=(",", ":"))),
            MessageAttributes={"type": {"DataType": "String", "StringValue": message.event_type}},
            **order,
        )

    def check(self, config: AmazonSqs) -> None:
        """See base class."""
        self._call(config, "get_queue_attributes", AttributeNames=["QueueArn"])

    def close(self) -> None:
        """See base class."""
        self._client.close()

    def _call(self, config: AmazonSqs, operation: str, **parameters: Any) -> None:
        try:
            getattr(self._client, operation)(QueueUrl=config.queue_url, **parameters)
        except (ClientError, BotoCoreError, HostError) as error:
            raise _explained(error, config) from None


def _taken(text: str) -> str:
    """JSON with escapes for the two characters that SQS does not take, of those that JSON leaves as they are."""
    return text.replace("\ufffe", r"\ufffe").replace("\uffff", r"\uffff")


def connect(config: AmazonSqs) -> SqsConnection:
    """Prepare a client for the service of `config`; it connects with the first call."""
    return SqsConnection(config)


def _explained(error: ClientError | BotoCoreError | HostError, config: AmazonSqs) -> PublishError:
    where = f"SQS queue {config.queue_url}"
    if isinstance(refused := getattr(error, "kwargs", {}).get("error", error), HostError):
        return Refused(f"{where}: {refused}")
    match error:
        case ClientError():
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            if reason := REFUSALS.get(code.removeprefix("AWS.SimpleQueueService.")) or REFUSALS.get(code):
                return Refused(f"{where}: the service {reason} ({code})")
            return Unavailable(f"{where}: the service answers {code}")
        case SSLError() if not is_cut_off(error):
            return Refused(f"{where}: the service's certificate is not trusted, or it does not speak TLS")
        case BotoConnectionError() | HTTPClientError():
            return Unavailable(f"{where}: the service cannot be reached")
        case _:
            return Refused(f"{where}: the request cannot be made ({type(error).__name__})")
