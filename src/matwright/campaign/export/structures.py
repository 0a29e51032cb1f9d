"""Records as structures with their values: extended XYZ and ASE databases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from matwright.campaign.export.columns import moment
from matwright.campaign.store.records import Record
from matwright.errors import InputError
from matwright.materials.interop import to_ase

if TYPE_CHECKING:
    from ase import Atoms

_WORDS = ("evaluator", "fidelity", "failure")  # texts by which an ASE database can be searched; it takes no "1" as text

OnSkip = Callable[[Record, str], None]
"""Called with a record that the format cannot hold, and why."""


def write_extxyz(file: IO[bytes], records: Iterable[Record], on_skip: OnSkip) -> int:
    """Write one frame a record, values and their units in its comment line. How many."""
    import io

    from ase.io.extxyz import write_extxyz as write  # heavy: behind its door

    text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
    count = 0
    for record in records:
        atoms = _atoms(record, on_skip)
        if atoms is not None:
            atoms.info = _facts(record)
            write(text, [atoms])
            count += 1
    text.flush()
    text.detach()
    return count


def write_ase(path: Path, records: Iterable[Record], on_skip: OnSkip) -> int:
    """Write an ASE database (SQLite): numbers and kinds as key-value pairs, all facts in `data`. How many."""
    from ase import db  # heavy: behind its door

    connect: Any = db.connect  # without annotations

    count = 0
    with connect(str(path), type="db", append=False) as database:
        for record in records:
            atoms = _atoms(record, on_skip)
            if atoms is not None:
                facts = _facts(record)
                pairs = {name: value for name, value in facts.items() if isinstance(value, float) or name in _WORDS}
                database.write(atoms, key_value_pairs=pairs, data=facts)
                count += 1
    return count


def _atoms(record: Record, on_skip: OnSkip) -> Atoms | None:
    try:
        return to_ase(record.crystal)
    except InputError as problem:
        on_skip(record, str(problem))
        return None


def _facts(record: Record) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "key": record.key,
        "formula": record.formula,
        "evaluator": record.evaluator.name,
        "evaluator_version": record.evaluator.version,
        "fidelity": record.evaluator.fidelity.value,
        "created": moment(record),
    }
    if record.failure is not None:
        facts |= {"failure": record.failure.kind.value, "failure_reason": record.failure.reason}
    for name, quantity in record.values.items():
        facts |= {name: quantity.value, f"{name}_unit": quantity.unit}
        if quantity.std is not None:
            facts[f"{name}_std"] = quantity.std
    return facts
