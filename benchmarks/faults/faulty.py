"""A lookup that misbehaves on purpose: some structures crash its process, hang, take too long or give no number."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from matwright.campaign.evaluator import Evaluation, Fidelity
from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.store.address import structure_hash, text_hash
from matwright.materials.crystal import Crystal
from matwright.screening.potential import FailureKind


class Fault(Enum):
    """What happens to a structure, and how its record must end."""

    NONE = None
    CRASH = FailureKind.POISON
    NOT_A_NUMBER = FailureKind.NOT_FINITE
    HANG = (FailureKind.TIMED_OUT, "hang")
    SLOW = (FailureKind.TIMED_OUT, "slow")

    @property
    def kind(self) -> FailureKind | None:
        """The kind of failure in the record; None for a value."""
        return self.value[0] if isinstance(self.value, tuple) else self.value


FAULTY = (Fault.CRASH, Fault.NOT_A_NUMBER, Fault.HANG, Fault.SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyLookup:
    """A lookup in which each kind of fault strikes a share of the structures; the same ones in every process.

    Attributes:
        table: what answers the others.
        share: of the structures, for each kind of fault.
        slow: s that a slow one sleeps.
        log: every call begun is a line there, "address time".
    """

    table: LookupEvaluator
    share: float
    slow: float
    log: Path

    @property
    def name(self) -> str:
        """Of the evaluator."""
        return "faulty-lookup"

    @property
    def version(self) -> str:
        """That of the table."""
        return self.table.version

    @property
    def fidelity(self) -> Fidelity:
        """That of the table."""
        return self.table.fidelity

    @property
    def settings(self) -> Mapping[str, Any]:
        """How often a fault strikes."""
        return {"share": self.share}

    @property
    def units(self) -> Mapping[str, str]:
        """Those of the table."""
        return self.table.units

    @property
    def batch_size(self) -> int:
        """One, so that a fault strikes one."""
        return 1

    @property
    def cost(self) -> float:
        """Nothing."""
        return 0.0

    def prepare(self) -> None:
        """Read the table."""
        self.table.prepare()

    def fault(self, address: str) -> Fault:
        """What happens to the structure of that address."""
        place = int(text_hash(address)[:8], 16) / 16**8 / self.share if self.share else len(FAULTY)
        return FAULTY[int(place)] if place < len(FAULTY) else Fault.NONE

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """What the table says, unless a fault strikes."""
        return [self._one(crystal) for crystal in crystals]

    def _one(self, crystal: Crystal) -> Evaluation:
        address = structure_hash(crystal)
        self._write(f"{address} {time.time()}\n")
        fault = self.fault(address)
        if fault is Fault.CRASH:
            os._exit(17)
        if fault is Fault.HANG:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a polite request does not help
            while True:
                time.sleep(1000.0)
        if fault is Fault.SLOW:
            time.sleep(self.slow)
        found = self.table.evaluate([crystal])[0]
        if fault is Fault.NOT_A_NUMBER:
            spoiled = {name: replace(quantity, value=float("nan")) for name, quantity in found.values.items()}
            return replace(found, answer=spoiled)
        return found

    def _write(self, line: str) -> None:
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, line.encode())  # one small write: whole, also with several processes
        os.close(descriptor)
