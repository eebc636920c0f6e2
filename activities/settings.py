"""Every setting of a worker, read from the environment in this one place."""

import os
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

from publishers.addresses import PrivateHost, private_hosts
from publishers.roots import files_roots, work_root

Role = Literal["all", "control", "transcode"]
Versioning = Literal["auto-upgrade", "pinned"]
DEPLOYMENT_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
BUCKET_FOLDER = re.compile(r"s3://[A-Za-z0-9._-]{3,63}(/[^/?#\x00-\x20]+)*/?")
MOST, MOST_DIGITS = 1_000_000_000, 20
"""Of any number: in its unit, the system and Temporal can count so far."""
CONTROL_GROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Version:
    """Of the service, as whoever deploys it calls it; Temporal leads each job to workers of one version."""

    deployment: str
    build_id: str
    pins: bool
    """Whether a job ends where it began; else it goes on with whichever version is the current one."""


@dataclass(frozen=True)
class Settings:
    """What a worker may do and where. `Settings.from_environment` documents the variables."""

    files_roots: tuple[Path, ...]
    private_hosts: tuple[PrivateHost, ...]
    work_root: Path
    work_store: str
    """`s3://bucket/prefix`; empty = `work_root` itself, which all workers share."""
    role: Role
    transcode_slots: int
    file_slots: int
    tool_memory: int
    """MiB."""
    tool_cpu: int
    """Hours."""
    tool_file: int
    """GB."""
    tool_processes: int
    delivery_deadline: timedelta
    shutdown_grace: timedelta
    stall_timeout: timedelta
    fault_attempts: int
    sweep_interval: timedelta
    """Zero = no sweeps by this worker's doing."""
    abandoned_after: timedelta
    version: Version | None = None
    """None = this worker takes what has no version."""

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read the variables.

        - `ENCODING_FILES_ROOT`: folders, separated by `:`, below which `Files` locations may lie (default: none).
        - `ENCODING_PRIVATE_HOSTS`: to what storages, publishers and key services of jobs may lead although its address
          is private: host names, `host:port`, IP addresses or networks (`10.0.0.0/8`), separated by commas (default:
          none).
        - `ENCODING_WORK_ROOT`: where jobs keep their workspace; shared by all workers (default `/var/tmp/encoding`).
        - `ENCODING_WORK_STORE`: a folder in a bucket, `s3://bucket/prefix`, that workers share instead; the work root
          then is each worker's own (default: none). `ENCODING_WORK_STORE_ENDPOINT` is the address of another service
          than Amazon's; Amazon's own variables tell the rest: `AWS_REGION`, `AWS_ACCESS_KEY_ID`, ….
        - `ENCODING_ROLE`: `all`, `control` (workflows, transfers, events) or `transcode` (default `all`).
        - `ENCODING_TRANSCODE_SLOTS`: ffmpeg processes at once on this worker (default: half of the cores that it may
          use, at least 2).
        - `ENCODING_FILE_SLOTS`: transfers and probings at once on this worker; other jobs wait until one is done
          (default 50).
        - `ENCODING_TOOL_MEMORY_MB`: memory that one ffmpeg, ffprobe or packager may take; a file made to exhaust the
          machine then fails alone (default: all that the machine or its container has; 8K needs 7000 a rendition).
        - `ENCODING_TOOL_CPU_HOURS`, `ENCODING_TOOL_FILE_GB`: processor time that one of them may take, and the size of
          a file that it may write (default 1000 each).
        - `ENCODING_TOOL_PROCESSES`: processes and threads that the worker's user may have for one of them to make
          another; root is not bound (default 10000).
        - `ENCODING_DELIVERY_DEADLINE_SECONDS`: how long a finished job waits for a receiver (default 86400).
        - `ENCODING_SHUTDOWN_GRACE_SECONDS`: how long a worker that is asked to stop lets running activities
          go on before it hands them to another worker (default 20).
        - `ENCODING_FAULT_ATTEMPTS`: a fault that may pass (a killed process, a full disk) fails the job when it
          comes back at this attempt; a receiver that says no so often, one time after the other, gets no more events
          (default 8, about two minutes).
        - `ENCODING_SWEEP_SECONDS`: how often the schedule that this worker makes, where there is none yet, looks for
          jobs that were ended from outside (default 60; 0 makes none).
        - `ENCODING_ABANDONED_HOURS`: when the workspace of a job that does not run any more is collected (default 24).
        - `ENCODING_DEPLOYMENT`, `ENCODING_BUILD_ID`: name and version of what is deployed here, to let Temporal choose
          which version gets new jobs (default: none); `ENCODING_VERSIONING`: whether jobs that run move to the version
          that has become current (`auto-upgrade`, default) or end where they began (`pinned`).
        - `ENCODING_STALL_SECONDS`: an ffmpeg that makes no progress for so long is restarted (default 300).

        Raises:
            ValueError: a variable holds what it cannot; the message names it.
        """
        role = _one_of("ENCODING_ROLE", get_args(Role))
        return cls(
            files_roots=files_roots(),
            private_hosts=private_hosts(),
            work_root=work_root(),
            work_store=_bucket_folder("ENCODING_WORK_STORE"),
            role=cast("Role", role),
            transcode_slots=_positive("ENCODING_TRANSCODE_SLOTS", max(2, len(os.sched_getaffinity(0)) // 2)),
            file_slots=_positive("ENCODING_FILE_SLOTS", 50),
            tool_memory=_positive("ENCODING_TOOL_MEMORY_MB", _memory()),
            tool_cpu=_positive("ENCODING_TOOL_CPU_HOURS", 1000),
            tool_file=_positive("ENCODING_TOOL_FILE_GB", 1000),
            tool_processes=_positive("ENCODING_TOOL_PROCESSES", 10_000),
            delivery_deadline=timedelta(seconds=_positive("ENCODING_DELIVERY_DEADLINE_SECONDS", 86_400)),
            shutdown_grace=timedelta(seconds=_positive("ENCODING_SHUTDOWN_GRACE_SECONDS", 20)),
            fault_attempts=_positive("ENCODING_FAULT_ATTEMPTS", 8),
            sweep_interval=timedelta(seconds=_whole("ENCODING_SWEEP_SECONDS", 60)),
            abandoned_after=timedelta(hours=_positive("ENCODING_ABANDONED_HOURS", 24)),
            stall_timeout=timedelta(seconds=_positive("ENCODING_STALL_SECONDS", 300)),
            version=_version(),
        )


def _version() -> Version | None:
    deployment, build_id = (os.environ.get(name, "") for name in ("ENCODING_DEPLOYMENT", "ENCODING_BUILD_ID"))
    pins = _one_of("ENCODING_VERSIONING", get_args(Versioning)) == "pinned"
    if bool(deployment) != bool(build_id):
        raise ValueError("ENCODING_DEPLOYMENT and ENCODING_BUILD_ID name a version together: set both, or neither")
    if deployment and not DEPLOYMENT_NAME.fullmatch(deployment):
        raise ValueError(f"ENCODING_DEPLOYMENT is {deployment!r}; it may have letters, digits, - and _ alone")
    return Version(deployment, build_id, pins) if deployment else None


def _one_of(name: str, choices: tuple[str, ...]) -> str:
    """The first one where the variable is not set."""
    text = os.environ.get(name, choices[0])
    if text not in choices:
        raise ValueError(f"{name} is {text!r}; it must be one of {', '.join(choices)}")
    return text


def _bucket_folder(name: str) -> str:
    text = os.environ.get(name, "")
    if text and not BUCKET_FOLDER.fullmatch(text):
        msg = f"{name} is {text!r}; it must have the form s3://bucket/folder, or be left out"
        raise ValueError(msg)
    return text


def _positive(name: str, default: int) -> int:
    return _whole(name, default, least=1)


def _whole(name: str, default: int, least: int = 0) -> int:
    text = os.environ.get(name, str(default))
    number = int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else -1
    if not least <= number <= MOST:
        raise ValueError(f"{name} is {text[:50]!r}; it must be a whole number from {least} to {MOST}")
    return number


@cache
def _memory() -> int:
    """MiB of the machine, or of the control group around this process."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    group = CONTROL_GROUP.read_text().strip() if CONTROL_GROUP.exists() else ""
    return min(machine, int(group) if group.isdecimal() else machine) >> 20
