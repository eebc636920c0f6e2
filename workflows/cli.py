"""The `encoding` command."""

import asyncio
import errno
import io
import json
import logging
import os
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.server import job_id_of
from publishers.events import FinalError, Message, event_schemas
from workflows import client as jobs
from workflows import codec, keys
from workflows.console import JobView, Terminal
from workflows.job import InvalidJob, Job, job_schema
from workflows.logs import keep_core_silent, log_to_stderr, printable
from workflows.session import EXIT_INTERRUPTED, Place, closed, interruptible, place_for, print_json, see_through

MAX_BYTES = 1_500_000
"""Temporal takes 2 MB as a workflow's input; some of it is the envelope's."""
FAILED, INVALID = 1, 2

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
schema = typer.Typer(no_args_is_help=True, help="Print JSON Schemas.")
app.add_typer(schema, name="schema")
key_commands = typer.Typer(no_args_is_help=True, help="Make keys that protect credentials.")
app.add_typer(key_commands, name="keys")

JobFile = Annotated[str, typer.Argument(metavar="JOB.json", help="The job; - reads it from standard input.")]
JobName = Annotated[str, typer.Argument(metavar="ID", help="Workflow id or JobId.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print every event as one JSON object a line, and nothing else.")]
Reason = Annotated[str | None, typer.Option(help="Is told in the FinalError.")]


@app.callback()
def encoding() -> None:
    """Encode titles to DASH and HLS, and follow what happens to them.

    TEMPORAL_ADDRESS and Temporal's other variables name the server. `run` needs none: it starts one of its own.
    """


@app.command()
def run(job_file: JobFile, *, as_json: AsJson = False) -> None:
    """Run a job to its end and show its events.

    Without TEMPORAL_ADDRESS a Temporal server and a worker run for the time of the job. Unless ENCODING_FILES_ROOT
    says otherwise, that worker reads and writes just the folders that the job names; and receivers of events that are
    away at the end are waited for.

    Exit status: 0 JobSuccess, 1 FinalError, 2 the job does not validate. Ctrl-C and SIGTERM cancel the
    job, and so does an output that cannot be written, as when whoever reads it has ended.
    """
    description = _read(job_file)
    job = _parse(description)

    async def work() -> Message:
        async with place_for(job) as place:
            handle = await jobs.submit(place.client, description)
            try:
                last = await see_through(place, handle, as_json=as_json)
            except OSError as error:
                await jobs.cancel(handle, f"its events cannot be shown any more: {error.strerror}")
                await jobs.ended(handle)
                raise
            if place.is_own:
                await closed(handle)
            return last

    _finish(_await(work()))


@app.command()
def submit(
    job_file: JobFile, workflow_id: Annotated[str | None, typer.Option("--id", help="Workflow id.")] = None
) -> None:
    """Start a job and print its JobId; workers do the rest."""
    description = _read(job_file)
    _parse(description)

    async def work() -> str:
        handle = await jobs.submit(await jobs.connect(), description, workflow_id)
        return job_id_of(handle.id)

    typer.echo(_await(work()))


@app.command()
def watch(job: JobName, *, as_json: AsJson = False) -> None:
    """Follow a job, whoever started it. Exit status as for run; Ctrl-C leaves the job alone."""

    async def work() -> Message:
        place = Place(await jobs.connect())
        handle = await jobs.find(place.client, job)
        return await see_through(place, handle, as_json=as_json, cancel_on_interrupt=False)

    _finish(_await(work()))


@app.command()
def events(
    job: JobName,
    *,
    as_json: AsJson = False,
    resend: Annotated[bool, typer.Option("--resend", help="Send them to the job's publishers again.")] = False,
    first: Annotated[int, typer.Option("--from", min=1, help="Lowest SequenceNumber.")] = 1,
    publisher: Annotated[int | None, typer.Option(min=1, help="Only this one of the job's publishers.")] = None,
) -> None:
    """Print the events of a job, running or ended, from its history; or send them again.

    They keep their EventIds, so that consumers can tell a repetition. Exit status 1: a receiver did not take them.
    """

    async def work() -> list[str]:
        client = await jobs.connect()
        handle = await jobs.find(client, job)
        if resend:
            return await jobs.resend(client, handle, first=first, publisher=publisher)
        show = print_json if as_json else JobView(Terminal()).show_event
        for event in await jobs.events(handle):
            if event.sequence_number >= first:
                show(event)
        return []

    if failures := _await(work()):
        typer.echo("\n".join(map(printable, failures)), err=True)
        raise typer.Exit(FAILED)


@app.command()
def cancel(job: JobName, reason: Reason = None) -> None:
    """Ask a job to stop; its FinalError (5001) tells when it has."""

    async def work() -> None:
        await jobs.cancel(await jobs.find(await jobs.connect(), job), reason)

    _await(work())


@app.command()
def validate(job_file: JobFile) -> None:
    """Check a job without starting it: every bad field, by its path."""
    _parse(_read(job_file))
    typer.echo("the job is valid")


@key_commands.command("create")
def keys_create(folder: Annotated[Path, typer.Argument(help="Where the two files go.")]) -> None:
    """Make a private key for the workers and a public one for the clients."""
    try:
        private, public = keys.create(folder)
    except keys.KeysExistError:
        _refuse(f"there are keys in {folder}; without them, what they protect cannot be read. Choose another folder")
    except OSError as error:
        _refuse(f"{folder} cannot be written: {error.strerror}")
    typer.echo(f"workers:  ENCODING_PRIVATE_KEYS={private}  (several, separated by :, while you change keys)")
    typer.echo(f"clients:  encoding protect JOB.json --key {public}")


@key_commands.command("payload")
def keys_payload(file: Annotated[Path, typer.Argument(help="The new file.")]) -> None:
    """Make a key that encrypts all that Temporal stores of jobs."""
    try:
        codec.create_key(file)
    except FileExistsError:
        _refuse(f"{file} exists; without the key in it, what it protects cannot be read. Choose another name")
    except OSError as error:
        _refuse(f"{file} cannot be written: {error.strerror}")
    typer.echo(f"workers and clients:  ENCODING_PAYLOAD_KEYS={file}  (new keys go in front, separated by :)")


@app.command("codec-server")
def codec_server(
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8888,
    origin: Annotated[str, typer.Option(help="Where the Temporal UI is.")] = "http://localhost:8233",
) -> None:
    """Let the Temporal UI show encrypted payloads, until Ctrl-C.

    It decodes with the keys in ENCODING_PAYLOAD_KEYS, listens on 127.0.0.1 alone, and answers pages from ORIGIN alone.
    """
    from workflows.codec_server import serve  # noqa: PLC0415 - its library is slow to load, and nobody else needs it

    try:
        found = codec.payload_keys()
    except ValueError as error:
        _refuse(str(error))
    if not found:
        _refuse(f"{codec.VARIABLE} is not set: there is nothing to decode with")
    typer.echo(f"http://127.0.0.1:{port} is the codec server to set in the UI at {origin}", err=True)
    try:
        serve(codec.Encryption(found), port, origin)
    except OSError as error:
        _refuse(f"port {port} cannot be used: {error.strerror}")


@app.command()
def preview(
    what: Annotated[str, typer.Argument(metavar="ID|FOLDER", help="A job that published to Files, or its folder.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free one.")] = 0,
    player: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", envvar="ENCODING_PLAYER", help="Shaka Player's script: dist/shaka-player.compiled.js."
        ),
    ] = None,
) -> None:
    """Play what a job has published, in your browser, until Ctrl-C.

    A page at 127.0.0.1 lists the manifests, their renditions, languages, texts and thumbnails, and switches between
    them. It needs Shaka Player (`npm install shaka-player`); without, it plays what the browser can play by itself:
    HLS in Safari and Chromium, no DASH, and no choice of tracks.
    """
    from workflows import preview as previews  # noqa: PLC0415 - its library is slow to load, and nobody else needs it

    try:
        folder = Path(what) if Path(what).is_dir() or "/" in what else _await(previews.published_folder(what))
        previews.serve(folder, player, port, typer.echo)
    except previews.NothingToPlay as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"port {port} cannot be used: {error.strerror}")


@app.command()
def protect(
    job_file: JobFile,
    key: Annotated[
        Path, typer.Option(help="The public key, or set ENCODING_PUBLIC_KEY.", envvar="ENCODING_PUBLIC_KEY")
    ],
) -> None:
    """Print the job with every secret encrypted, so that workers alone can read it.

    Sections that are encrypted already stay as they are.
    """
    description = _read(job_file)
    job = _parse(description)
    try:
        count = keys.protect_job(description, job, keys.public_key(key))
    except OSError as error:
        _refuse(f"{key} cannot be read: {error.strerror}")
    except ValueError as error:
        _refuse(str(error))
    typer.echo(json.dumps(description, indent=2, ensure_ascii=False).encode())  # UTF-8 whatever the locale
    typer.echo(f"{count} secrets protected", err=True)


@schema.command("job")
def schema_job() -> None:
    """JSON Schema of the job description."""
    typer.echo(json.dumps(job_schema(), indent=2))


@schema.command("events")
def schema_events() -> None:
    """JSON Schemas of all events, by name."""
    typer.echo(json.dumps(event_schemas(), indent=2))


@app.command()
def worker() -> None:
    """Run a worker until SIGTERM.

    ENCODING_FILES_ROOT lists the folders (separated by :) below which Files locations may lie, ENCODING_PRIVATE_HOSTS
    the private hosts (separated by commas) that jobs may name, ENCODING_WORK_ROOT is the work folder that all
    workers share, unless ENCODING_WORK_STORE names a bucket's (s3://bucket/folder), ENCODING_ROLE is all, control or
    transcode. The README lists all variables.
    """
    os.execv(sys.executable, [sys.executable, "-P", "-m", "worker"])  # noqa: S606 - replaced: signals reach it directly


def _read(job_file: str) -> Any:
    """The JSON in a file, or the end of the command with a reason."""
    try:
        data = _bytes_of(job_file)
    except OSError as error:
        _refuse(f"{job_file} cannot be read: {error.strerror}")
    if len(data) > MAX_BYTES:
        _refuse(f"{job_file} is larger than {MAX_BYTES} bytes; Temporal takes no more than 2 MB")
    if not data.strip():
        _refuse(f"{job_file} is empty; a job is a JSON object, see `encoding schema job`")
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(f"{job_file} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}")
    except (UnicodeDecodeError, RecursionError):
        _refuse(f"{job_file} is not JSON: it is not UTF-8 text, or nested too deeply")
    except ValueError as error:
        _refuse(f"{job_file}: {error}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The last of two equal names would win silently, here or somewhere else on the way."""
    section = dict(pairs)
    if len(section) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in section if names.count(name) > 1)
        raise ValueError(f"the name {twice[:100]!r} stands twice in an object; remove one")
    return section


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; write a number")


def _bytes_of(job_file: str) -> bytes:
    if job_file != "-":
        with Path(job_file).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    if sys.stdin is None:  # it was closed before we started
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read(MAX_BYTES + 1)


def _parse(description: Any) -> Job:
    try:
        return Job.parse(description)
    except InvalidJob as error:
        _refuse("\n".join(error.problems))


def _refuse(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(INVALID)


def _await(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it; what a person can do something about is told in a line."""
    try:
        return asyncio.run(interruptible(work))
    except jobs.UnknownJob as error:
        text = f"{error}; `temporal workflow list` shows those there are"
    except WorkflowAlreadyStartedError as error:
        text = f"there is a job with the id {error.workflow_id!r} already; choose another one"
    except RPCError as error:
        text = f"the Temporal server refuses: {error.message}"
        if error.status == RPCStatusCode.UNAVAILABLE:
            at = os.environ.get("TEMPORAL_ADDRESS") or jobs.DEFAULT_ADDRESS
            text = f"the Temporal server at {at} does not answer; check TEMPORAL_ADDRESS"
    except BrokenPipeError:  # whoever read our output has heard enough
        os._exit(FAILED)
    except OSError as error:
        text = f"{error.filename or 'the output'} cannot be written: {error.strerror}"
    except (RuntimeError, ValueError) as error:
        text = str(error)
    typer.echo(printable(text), err=True)
    raise typer.Exit(FAILED)


def _finish(last: Message) -> None:
    if last.event_type == FinalError.__name__:
        typer.echo(printable(f"{last.body['Code']} {last.body['Error']}: {last.body['Message']}"), err=True)
        raise typer.Exit(FAILED)


def _set_up_logging() -> None:
    """The events say what a person needs; the worker's log is for those who ask for it."""
    if level := os.environ.get("ENCODING_LOG_LEVEL"):
        try:
            log_to_stderr(level)
        except ValueError as error:
            _refuse(str(error))
    else:
        logging.getLogger().addHandler(logging.NullHandler())
        keep_core_silent()
    logging.captureWarnings(capture=True)


def main() -> None:
    """Entry point of the console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # what the locale has no letters for is written out, as in errors
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _set_up_logging()
        status = app(standalone_mode=False) or 0
    except typer.Exit as ended:
        status = ended.exit_code
    except typer.Abort:
        status = EXIT_INTERRUPTED
    except OSError as error:
        typer.echo(f"the output cannot be written: {error.strerror}", err=True)
        status = FAILED
    except Exception as error:
        if not hasattr(error, "show"):
            raise
        error.show()
        status = INVALID
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError):  # one that was closed before we started is None
            stream.flush()
    # Temporal's client runs threads of its own; a regular interpreter exit beside them crashed one time in three.
    os._exit(status)
