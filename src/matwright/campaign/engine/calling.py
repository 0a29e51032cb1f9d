"""One call of an evaluator, with whatever it does turned into evaluations."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from matwright.campaign.evaluator import Evaluation, Evaluator, checked
from matwright.errors import CalculationError, InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind

_NO_MEMORY = ("can't allocate memory", "cannot allocate memory", "bad_alloc", "out of memory")
"""How libraries written in other languages say it."""


def call(evaluator: Evaluator, crystals: Sequence[Crystal]) -> list[Evaluation]:
    """The answers of one call, in the order of `crystals`, each with the time it took.

    An exception that is no misuse costs the structures of this call, and only those: where there are several, each is
    tried alone.

    Raises:
        InputError: misuse, as the evaluator says.
    """
    _compute_alone()
    start = time.perf_counter()
    try:
        answers = checked(evaluator, crystals)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 (an evaluator may call anything, and anything may raise)
        if len(crystals) > 1:
            return [call(evaluator, [crystal])[0] for crystal in crystals]
        answers = [Evaluation(answer=_failure(error))]
    share = (time.perf_counter() - start) / len(crystals)
    return [one if one.seconds > 0 else replace(one, seconds=share) for one in answers]


def _compute_alone() -> None:
    """One thread and no denormals for torch, where an evaluator has loaded it: parallelism comes from processes."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
        torch.set_flush_denormal(True)


def _failure(error: Exception) -> Failure:
    said = " ".join(str(error).split()) or "no message"
    if isinstance(error, MemoryError) or any(words in said.lower() for words in _NO_MEMORY):
        return Failure(reason="the process ran out of memory", kind=FailureKind.OUT_OF_MEMORY)
    return Failure(reason=said if isinstance(error, CalculationError) else f"{type(error).__name__}: {said}")
