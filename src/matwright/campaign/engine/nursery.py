"""The process beside a worker that loads an evaluator once and forks the children that evaluate.

It never evaluates itself, so nothing that a structure does can harm it. Started by `supervisor` as
`python -m matwright.campaign.engine.nursery FD`; it speaks over one pipe: first limits and evaluator, answered when all
is loaded; then calls, answered by what came of them, until the pipe closes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import final

from matwright.campaign.engine.child import Call, Child
from matwright.campaign.engine.interface import Limits
from matwright.campaign.engine.orphan import die_with_parent
from matwright.campaign.evaluator import Evaluation, Evaluator
from matwright.errors import InputError
from matwright.screening.potential import Failure

Answer = list[Evaluation] | Failure
"""What came of one call: evaluations, or the failure that cost a child its life."""


@final
class Nursery:
    """One evaluator and its present child."""

    def __init__(self, evaluator: Evaluator, limits: Limits) -> None:
        self._evaluator, self._limits = evaluator, limits
        self._child: Child | None = None

    def run(self, calls: Sequence[Call], seconds: float) -> list[Answer]:
        """The answers to the calls in order; after `seconds` no further call is begun.

        Raises:
            InputError: misuse, as the evaluator says.
        """
        start = time.perf_counter()
        answers: list[Answer] = []
        for crystals in calls:
            if answers and time.perf_counter() - start > seconds:
                break
            child = self._child if self._child is not None else Child(self._evaluator, self._limits)
            self._child = child
            answer = child.call(crystals)
            answers.append(answer)
            if isinstance(answer, Failure) or child.spent:
                self.end()
        return answers

    def end(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self._child.end()
            self._child = None


def main(descriptor: int) -> None:
    """Serve over the pipe `descriptor`."""
    die_with_parent()
    with Connection(descriptor) as pipe:
        try:
            nursery = _start(pipe)
            while nursery is not None:
                calls, seconds = pipe.recv()
                try:
                    pipe.send(nursery.run(calls, seconds))
                except InputError as misuse:
                    nursery.end()
                    pipe.send(misuse)
        except EOFError:
            return


def _start(pipe: Connection) -> Nursery | None:
    """A nursery with the evaluator ready, which is answered by None; where it cannot be used, the answer says why."""
    try:
        limits: Limits = pipe.recv()
        evaluator: Evaluator = pipe.recv()
        evaluator.prepare()
    except (ImportError, AttributeError) as problem:
        pipe.send(InputError(f"a worker cannot load the evaluator ({problem}); its module must be importable there"))
    except InputError as misuse:
        pipe.send(misuse)
    else:
        pipe.send(None)
        return Nursery(evaluator, limits)
    return None


if __name__ == "__main__":
    main(int(sys.argv[1]))
