"""Whose jobs have their files in a store: those of one namespace, or the sweep would remove what it does not know."""

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.settings import Settings
from activities.storage.base import StorageError
from activities.storage.threads import stoppable
from activities.store.abandoned import kept_jobs
from activities.store.notes import FOLDER, notes_of
from activities.store.own import told

KIND, NOTE = "owner", "namespace"


async def owner_of(client: Client) -> str:
    """The namespace of a client, and its id, since two servers may have namespaces of one name."""
    try:
        request = DescribeNamespaceRequest(namespace=client.namespace)
        described = await client.workflow_service.describe_namespace(request)
    except RPCError:  # it need not be allowed
        return client.namespace
    return f"{client.namespace} {described.namespace_info.id}"


async def own_store(settings: Settings, client: Client) -> None:
    """Make the store that of the client's namespace, unless it has files of another one's jobs.

    Raises:
        RuntimeError: it has, or it cannot be used; the message names the variable.
    """
    owner = await owner_of(client)
    try:
        if is_same(found := await _found(settings), owner):
            return
        if found and await kept_jobs(settings):
            raise RuntimeError(_refusal(settings, found))
        await stoppable(lambda _: _write(settings, owner))
    except StorageError as error:
        raise RuntimeError(f"the work store cannot be used: {told(error)}") from None


async def is_owned(settings: Settings, client: Client) -> bool:
    """Whether the store still belongs to the client's namespace.

    Raises:
        StorageError: it cannot be asked.
    """
    found = await _found(settings)
    return bool(found) and is_same(found, await owner_of(client))


def is_same(found: str, owner: str) -> bool:
    """Where one of them has no id, the names decide."""
    name, _, id_ = found.partition(" ")
    other_name, _, other_id = owner.partition(" ")
    return name == other_name and (not id_ or not other_id or id_ == other_id)


async def _found(settings: Settings) -> str:
    return await stoppable(lambda _: _read(settings))


def _read(settings: Settings) -> str:
    with notes_of(settings, KIND) as notes:
        return (notes.read(NOTE) or b"").decode(errors="replace")


def _write(settings: Settings, owner: str) -> None:
    with notes_of(settings, KIND) as notes:
        notes.write(NOTE, owner.encode())


def _refusal(settings: Settings, found: str) -> str:
    variable = "ENCODING_WORK_STORE" if settings.work_store else "ENCODING_WORK_ROOT"
    place = settings.work_store or str(settings.work_root)
    return (
        f"{variable} names {place}, which has files of jobs of another namespace ({found}): each namespace needs a "
        f"place of its own. If that one is gone, remove {place.rstrip('/')}/{FOLDER}/{KIND}/{NOTE}"
    )
