"""What runs evaluations: one protocol for this process, a laptop's cores and a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, final

from matwright.campaign.evaluator import Evaluation, Evaluator
from matwright.campaign.store.work import Task
from matwright.errors import InputError

Source = Callable[[int], Sequence[Task]]
"""Gives up to n tasks that are free now; none when there are none at the moment."""

GIB = 2**30
"""Bytes in one GiB."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One task with what came of one try."""

    task: Task
    evaluation: Evaluation


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one evaluation may use up.

    Attributes:
        seconds: wall time for one structure; a process that takes longer is killed.
        start_seconds: wall time that a fresh process may take before its first call (loading weights).
        memory: GiB that the process may allocate; None for no bound.
        tasks_per_process: structures after which a process is replaced, so that a leak stays small.
    """

    seconds: float = 600.0
    start_seconds: float = 120.0
    memory: float | None = None
    tasks_per_process: int = 10_000

    def __post_init__(self) -> None:
        for name in ("seconds", "start_seconds", "tasks_per_process"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, found {getattr(self, name)}")
        if self.memory is not None and not self.memory > 0:
            raise InputError(f"memory must be above 0 GiB, found {self.memory}")


class Engine(Protocol):
    """Runs evaluations; open it with `with`. It tries each task once: trying again is the campaign's business."""

    def __enter__(self) -> Self:
        """Start the workers."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the workers, at once and whatever they do."""
        ...

    def run(self, evaluator: Evaluator, source: Source) -> Iterator[list[Outcome]]:
        """Evaluate what `source` gives, until it gives nothing and nothing runs any more; outcomes as they come.

        What one task does to its process (crash, hang, too much memory) is that task's failure.

        Raises:
            InputError: misuse, as the evaluator says.
            ResourceError: no worker can be started.
        """
        ...
