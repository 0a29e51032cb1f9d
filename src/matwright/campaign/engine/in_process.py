"""The engine without processes: for cheap evaluators that can be trusted, and to look into one that cannot."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import Self, final

from matwright.campaign.engine.calling import call
from matwright.campaign.engine.interface import Outcome, Source
from matwright.campaign.evaluator import Evaluator

_SECONDS = 0.5  # after which outcomes are handed over, so that they are recorded often
_MOST = 256  # tasks claimed at a time


@final
class InProcessEngine:
    """Evaluates one call after the other in this process: no time limit, and a crash is a crash of the program."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def run(self, evaluator: Evaluator, source: Source) -> Iterator[list[Outcome]]:
        """Evaluate what `source` gives until it gives nothing; see `Engine.run`."""
        size = evaluator.batch_size
        claim = size
        evaluator.prepare()
        while tasks := source(claim):
            begun = time.perf_counter()
            done: list[Outcome] = []
            for start in range(0, len(tasks), size):
                chosen = tasks[start : start + size]
                answers = call(evaluator, [task.crystal for task in chosen])
                done += [Outcome(task=task, evaluation=one) for task, one in zip(chosen, answers, strict=True)]
            rate = len(tasks) / max(time.perf_counter() - begun, 1e-6)
            claim = max(size, min(_MOST, int(rate * _SECONDS)))
            yield done
