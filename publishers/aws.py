"""Clients of Amazon's library that a job leads somewhere."""

from typing import Any

from botocore.config import Config

from publishers.web import check_xml, guarded


def guarded_client(session: Any, service: str, *, config: Config, **options: Any) -> Any:
    """A client that connects to allowed addresses alone, itself: a proxy would look names up once more."""
    client = session.client(service, config=config.merge(Config(proxies={})), **options)
    guarded(client._endpoint.http_session._manager)  # noqa: SLF001 - there is no public way to its connections
    client.meta.events.register("before-parse", _check)
    return client


def _check(response_dict: dict[str, Any], **_: Any) -> None:
    if isinstance(body := response_dict["body"], bytes):
        check_xml(body)
