"""The folder of one run: claimed once, never overwritten, with `run.json` saying what made it."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self, final

from matwright import __version__
from matwright.errors import InputError
from matwright.rng import check_seed
from matwright.serialization import read_json, to_plain, write_json

RUN_FILE = "run.json"
LOCK_FILE = ".lock"
_SHOWN = 3  # names or differences that an error message lists


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """An output folder that belongs to one run, and to one process at a time.

    Attributes:
        path: the folder.
        kind: which verb made it, for instance "train" or "design".
    """

    path: Path
    kind: str

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        kind: str,
        settings: Mapping[str, object],
        seed: int,
        data_hash: str | None = None,
    ) -> Self:
        """Claim a new or empty folder and write `run.json`: nothing that is already there is overwritten.

        Args:
            path: the folder; parents are made.
            kind: which verb makes the run.
            settings: what determines the result (see `to_plain`); a resumed run must have the same.
            seed: the seed of the run.
            data_hash: hash of the data the run reads, None where it reads none.

        Raises:
            InputError: the path is a file, holds another run, or holds foreign files.
        """
        folder = Path(path)
        _refuse_occupied(folder)
        folder.mkdir(parents=True, exist_ok=True)
        run = cls(path=folder, kind=kind)
        run._lock()
        _refuse_occupied(folder)  # again under the lock: another process may have claimed it meanwhile
        record = {"kind": kind, "seed": check_seed(seed), "data_hash": data_hash, "settings": to_plain(settings)}
        write_json(folder / RUN_FILE, {**record, **provenance(), "resumed": [], "finished": None, "results": {}})
        return run

    @classmethod
    def open_for_resume(
        cls,
        path: str | os.PathLike[str],
        *,
        settings: Mapping[str, object],
        kind: str | None = None,
        seed: int | None = None,
        data_hash: str | None = None,
    ) -> Self:
        """Open the run in `path` to go on with it; what is given must be what the run was started with.

        Raises:
            InputError: there is no run, another process works on it, or a setting, the kind, the seed or the data
                differ (the message names what differs).
        """
        folder = Path(path)
        if not (folder / RUN_FILE).is_file():
            raise InputError(f"{folder} holds no run to resume; start one without --resume")
        record = _read_record(folder)
        now: dict[str, object] = {"settings": to_plain(settings)}
        now |= {
            name: value
            for name, value in (("kind", kind), ("seed", seed), ("data_hash", data_hash))
            if value is not None
        }
        differences = _differences({name: record.get(name) for name in now}, now)
        if differences:
            shown = "; ".join(differences[:_SHOWN])
            more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
            raise InputError(
                f"{folder} holds a run with other settings and cannot be resumed with these: {shown}{more}"
            )
        run = cls(path=folder, kind=str(record["kind"]))
        run._lock()
        write_json(folder / RUN_FILE, {**record, "resumed": [*record.get("resumed", []), provenance()]})
        return run

    @property
    def record(self) -> dict[str, Any]:
        """What `run.json` holds now."""
        return _read_record(self.path)

    @property
    def is_finished(self) -> bool:
        """Whether `finish` was called."""
        return self.record.get("finished") is not None

    def finish(self, results: Mapping[str, object] | None = None) -> None:
        """Write the end time and the results (see `to_plain`) into `run.json`."""
        write_json(self.path / RUN_FILE, {**self.record, "finished": _now(), "results": to_plain(results or {})})

    def file(self, *parts: str) -> Path:
        """Return the path of a file of the run; its folder is made."""
        result = self.path.joinpath(*parts)
        result.parent.mkdir(parents=True, exist_ok=True)
        return result

    @contextmanager
    def given_back_on_failure(self) -> Iterator[None]:
        """Remove all files of the run when the block fails: for short runs, of which a part is of no use."""
        try:
            yield
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def _lock(self) -> None:
        """Hold the folder until this process ends: the operating system lets go even after a kill.

        The descriptor stays open on purpose; a POSIX lock is the process's own and ends with it.
        """
        try:
            import fcntl  # absent on Windows, where a folder is not locked
        except ImportError:
            return
        descriptor = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise InputError(f"another process is writing to {self.path}; wait for it or give another --out") from None
        except OSError:
            os.close(descriptor)  # a file system without locks: go on without


def provenance() -> dict[str, object]:
    """Return what made a run: command, versions, commit of the source (None outside a checkout), machine, time."""
    commit, modified = _source_commit()
    return {
        "command": shlex.join([Path(sys.argv[0]).name.replace("__main__.py", "matwright"), *sys.argv[1:]]),
        "version": __version__,
        "commit": commit,
        "modified": modified,
        "python": platform.python_version(),
        "torch": _installed("torch"),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "started": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _installed(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _source_commit() -> tuple[str | None, bool | None]:
    """Return (commit, whether tracked files differ from it) when the package runs from its own checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # an installed wheel may lie inside somebody else's checkout
        return None, None
    try:
        head = subprocess.run(["git", "-C", root, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        status = subprocess.run(
            ["git", "-C", root, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return head.stdout.strip(), bool(status.stdout.strip())


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a new folder")
    if (folder / RUN_FILE).exists():
        record = _read_record(folder)
        raise InputError(
            f"{folder} already holds a {record.get('kind', '?')} run of {record.get('started', 'unknown time')}; "
            "nothing was overwritten: give another folder, or --resume to go on with it"
        )
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name != LOCK_FILE) if folder.exists() else []
    if foreign:
        shown = ", ".join(foreign[:_SHOWN]) + (" …" if len(foreign) > _SHOWN else "")
        raise InputError(f"{folder} is not empty ({shown}); nothing was overwritten: give a new folder")


def _read_record(folder: Path) -> dict[str, Any]:
    record = read_json(folder / RUN_FILE)
    if not isinstance(record, dict):
        raise InputError(f"{folder / RUN_FILE} is not the record of a run")
    return record


def _differences(before: object, now: object, name: str = "") -> list[str]:
    """Return one phrase for each leaf that differs, named by its dotted path."""
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            phrase
            for key in sorted({*before, *now})
            for phrase in _differences(before.get(key), now.get(key), f"{name}.{key}".removeprefix(".settings"))
        ]
    return [] if before == now else [f"{name.removeprefix('.')} was {before!r} and is {now!r}"]
