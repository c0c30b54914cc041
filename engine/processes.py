"""The process that runs this program, and whether a process that a row names has ended."""

import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PID_SPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Process:
    """A process, so that no other one is ever taken for it: a pid is used again, and each container has its own."""

    host: str
    boot: str
    """The run of the machine's kernel since it was switched on; empty where the system does not name it."""
    pid_space: str
    """Among which processes the pid counts: those of a machine, or of a container."""
    pid: int
    started: str
    """When it was started, in the kernel's ticks since the boot, which no change of the clock moves."""


@cache
def this_process() -> Process:
    """Return the process that runs this program."""
    pid = os.getpid()
    try:
        boot, pid_space = _BOOT.read_text().strip(), str(_PID_SPACE.readlink())
    except OSError:  # not Linux
        boot = pid_space = ""
    return Process(socket.gethostname(), boot, pid_space, pid, _started(pid) or "")


def has_ended(process: Process) -> bool | None:
    """Say whether a process has ended; None where that cannot be seen from here: it is another machine's or container's."""
    here = this_process()
    same_place = process.boot == here.boot and process.pid_space == here.pid_space
    if not same_place or (not here.boot and process.host != here.host):
        return None
    return _started(process.pid) != process.started


def counts_as_ended(process: Process, silent: timedelta, patience: timedelta, *, shared: bool) -> bool:
    """Say whether a process counts as ended: it has, or it cannot be seen from here and was `silent` beyond `patience`.

    Of a database that is not `shared` all processes are on one machine: those of an earlier boot have ended.
    """
    if not shared and process.boot != this_process().boot:
        return True
    ended = has_ended(process)
    return silent > patience if ended is None else ended


def _started(pid: int) -> str | None:
    """Return when a process was started; None if there is none, or if it has ended and its parent does not know yet."""
    if not _BOOT.exists():
        return "" if _exists(pid) else None
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
