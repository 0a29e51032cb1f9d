"""A table as an oracle: the closed loop in seconds, and published values as evidence."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, final

from matwright.campaign.evaluator import Evaluation, Fidelity
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.store.address import structure_hash
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure, FailureKind
from matwright.serialization import hash_file


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class LookupEvaluator:
    """Answers with what a table says of a structure (see `table`); one that is not there is refused.

    Attributes:
        path: the table, which every worker must be able to read.
        name: of the evaluator.
        version: hash of the table's bytes.
        fidelity: what kind of evidence the table holds.
        units: of the table's quantities.
        cost: CPU seconds that such a value would have cost.
    """

    path: Path
    name: str
    version: str
    fidelity: Fidelity
    units: Mapping[str, str]
    cost: float = 0.0
    batch_size: ClassVar[int] = 1  # looking up is cheap, and a structure that fails costs no other

    @classmethod
    def of(cls, path: Path, *, name: str = "lookup", fidelity: Fidelity = Fidelity.DFT, cost: float = 0.0) -> Self:
        """Make the evaluator of a table.

        Raises:
            InputError: the table cannot be read.
        """
        units = dict(ValueTable.read(path).units)
        return cls(path=path, name=name, version=hash_file(path), fidelity=fidelity, units=units, cost=cost)

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing: the version says it all."""
        return {}

    def prepare(self) -> None:
        """Read the table."""
        _load(self.path, self.version)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """The table's values of each crystal.

        Raises:
            InputError: the table is no longer the one that the evaluator was made of.
        """
        table = _load(self.path, self.version)
        return [self._one(table, structure_hash(crystal)) for crystal in crystals]

    def _one(self, table: ValueTable, address: str) -> Evaluation:
        values = table.rows.get(address)
        if values:
            return Evaluation(answer=values)
        reason = f"{self.path.name} has no value for this structure"
        return Evaluation(answer=Failure(reason=reason, kind=FailureKind.REFUSED))


@functools.lru_cache(maxsize=4)
def _load(path: Path, version: str) -> ValueTable:
    """Read a table once a process."""
    table = ValueTable.read(path)
    if hash_file(path) != version:
        raise InputError(f"{path} has changed since the campaign began to read it; use a copy that stays as it is")
    return table
