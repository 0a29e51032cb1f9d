"""Experiments: a table that somebody fills in when the measurement is done; nothing waits for it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, final

from matwright.campaign.evaluator import Evaluation, Fidelity, Pending, Quantity
from matwright.campaign.evaluators.table import STRUCTURE, ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula, to_cif


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentEvaluator:
    """Asks for measurements by adding rows to a table, and answers as soon as their cells are filled.

    Attributes:
        path: the table (see `table`), made with the first question; a spreadsheet program can edit it.
        name: of the experiment, for instance "nanoindentation".
        version: of its procedure.
        units: unit of each quantity that is measured.
        settings: what else the values depend on (instrument, temperature).
        cost: CPU seconds that a budget counts for one measurement.
    """

    path: Path
    name: str
    units: Mapping[str, str]
    version: str = "1"
    settings: Mapping[str, Any] = field(default_factory=dict)
    cost: float = 0.0
    fidelity: ClassVar[Fidelity] = Fidelity.EXPERIMENT
    batch_size: ClassVar[int] = 256  # the table is read and written once

    def prepare(self) -> None:
        """Nothing: the table is read anew at each question."""

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """Measured values of those crystals that have any; the others are asked for and pending.

        Raises:
            InputError: the table cannot be read, or does not have the quantities and units of this experiment.
        """
        addresses = [structure_hash(crystal) for crystal in crystals]
        with _locked(self.path):
            table = self._table()
            asked = dict(zip(addresses, crystals, strict=True))
            missing = {address: crystal for address, crystal in asked.items() if address not in table.rows}
            if missing:
                table = self._with(table, missing)
                table.write(self.path)
        pending = Pending(waits_for=f"a value in {self.path}")
        return [Evaluation(answer=table.rows[address] or pending) for address in addresses]

    def _table(self) -> ValueTable:
        if not self.path.exists():
            return ValueTable(units=self.units, rows={}, described={})
        table = ValueTable.read(self.path)
        if dict(table.units) != dict(self.units):
            raise InputError(
                f"{self.path} has the quantities {dict(table.units)}, {self.name} needs {dict(self.units)}"
            )
        return table

    def _with(self, table: ValueTable, missing: Mapping[str, Crystal]) -> ValueTable:
        empty: dict[str, Mapping[str, Quantity]] = {address: {} for address in missing}
        described = {
            address: {STRUCTURE: address, "formula": reduced_formula(crystal), "cif": to_cif(crystal)}
            for address, crystal in missing.items()
        }
        return ValueTable(units=table.units, rows={**table.rows, **empty}, described={**table.described, **described})


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other workers from adding rows at the same time."""
    try:
        import fcntl  # absent on Windows, where a table belongs to one worker
    except ImportError:
        yield
        return
    with path.with_name(f".{path.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
