"""Who holds a claim: one process, known so exactly that its death can be told from another's life."""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self, final

_SEPARATOR = "|"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A process that claims work.

    Attributes:
        name: "machine|pid|start|random": the machine with its process space, the process, when it started (to tell it
            from a later one with the same number), and a word that tells two claimants in one process apart.
    """

    name: str

    @classmethod
    def this_process(cls) -> Self:
        """The calling process."""
        pid = os.getpid()
        return cls(name=_SEPARATOR.join([_machine(), str(pid), _started(pid), secrets.token_hex(4)]))

    def knows_dead(self, other: str) -> bool:
        """Whether the process behind another name is certainly no more; False for processes of other machines."""
        parts = other.split(_SEPARATOR)
        if len(parts) != 4 or parts[0] != _machine() or not parts[1].isdigit():
            return False
        pid = int(parts[1])
        return not _lives(pid) or _started(pid) != parts[2]


def _machine() -> str:
    """Host name and process space: containers with one name do not take each other's processes for dead."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space}".replace(_SEPARATOR, "-")


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
