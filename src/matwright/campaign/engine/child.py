"""The process in which evaluations happen: it may crash, hang or eat memory, and only it dies of that.

Started by `supervisor` as `python -m matwright.campaign.engine.child FD MEMORY`. It speaks over one pipe: first the
evaluator, answered when it is ready; then crystals, answered by evaluations, until the pipe closes.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

from matwright.campaign.engine.calling import call
from matwright.campaign.engine.interface import GIB
from matwright.campaign.engine.orphan import die_with_parent
from matwright.campaign.evaluator import Evaluator
from matwright.errors import InputError


def main(descriptor: int, memory: float) -> None:
    """Serve calls over the pipe `descriptor`; `memory` bounds what may be allocated, in GiB, 0 for no bound."""
    die_with_parent()
    if memory:
        _bound_memory(int(memory * GIB))
    with Connection(descriptor) as pipe:
        try:
            evaluator = _start(pipe)
            while evaluator is not None:
                crystals = pipe.recv()
                try:
                    pipe.send(call(evaluator, crystals))
                except InputError as misuse:
                    pipe.send(misuse)
        except EOFError:
            return


def _start(pipe: Connection) -> Evaluator | None:
    """The evaluator, ready, which is answered by None; where it cannot be used, the answer says why."""
    try:
        evaluator: Evaluator = pipe.recv()
        evaluator.prepare()
    except (ImportError, AttributeError) as problem:
        pipe.send(InputError(f"a worker cannot load the evaluator ({problem}); its module must be importable there"))
    except InputError as misuse:
        pipe.send(misuse)
    else:
        pipe.send(None)
        return evaluator
    return None


def _bound_memory(size: int) -> None:
    """Allocations beyond `size` bytes fail, in Python as MemoryError; mapped files do not count."""
    import resource  # absent on Windows, where workers do not run

    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
