"""Records as OPTIMADE JSON lines: one structure a line, which any OPTIMADE client or server can load.

The form is that of the OPTIMADE specification 1.2: a header, the description of the properties, then the entries. Our
own properties begin with `_matwright_`; their units stand in the description.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from math import gcd
from typing import IO, Any

from matwright.campaign.export.columns import Columns, moment
from matwright.campaign.store.records import Record
from matwright.elements import SYMBOLS
from matwright.materials.crystal import Crystal
from matwright.materials.interop import amounts

API_VERSION = "1.2.0"
PREFIX = "_matwright_"
_DESCRIBED = ("evaluator", "evaluator_version", "fidelity", "failure", "failure_reason")


def write_optimade(file: IO[bytes], records: Iterable[Record], columns: Columns) -> int:
    """Write header, descriptions and one entry a record. How many records."""
    _line(file, {"x-optimade": {"meta": {"api_version": API_VERSION}}})
    _line(file, {"type": "info", "id": "structures", "properties": _properties(columns)})
    count = 0
    for record in records:
        _line(file, {"type": "structures", "id": record.key, "attributes": attributes(record)})
        count += 1
    return count


def attributes(record: Record) -> dict[str, Any]:
    """The OPTIMADE attributes of one record: the structure that its values belong to, and the values."""
    crystal = record.crystal
    counts = dict(sorted((SYMBOLS[number], amount) for number, amount in amounts(crystal).items()))
    total = sum(counts.values())
    species = [_species(crystal, site) for site in range(len(crystal))]
    unique = {one["name"]: one for one in species}
    ours = {
        "evaluator": record.evaluator.name,
        "evaluator_version": record.evaluator.version,
        "fidelity": record.evaluator.fidelity.value,
        "failure": None if record.failure is None else record.failure.kind.value,
        "failure_reason": None if record.failure is None else record.failure.reason,
        **{_word(name): quantity.value for name, quantity in record.values.items()},
    }
    return {
        "immutable_id": record.key,
        "last_modified": moment(record),
        "elements": list(counts),
        "nelements": len(counts),
        "elements_ratios": [amount / total for amount in counts.values()],
        "chemical_formula_descriptive": record.formula,
        "chemical_formula_reduced": _reduced(counts),
        "chemical_formula_anonymous": _anonymous(counts),
        "dimension_types": [int(periodic) for periodic in crystal.pbc],
        "nperiodic_dimensions": sum(crystal.pbc),
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": crystal.cart_coords.tolist(),
        "nsites": len(crystal),
        "species": list(unique.values()),
        "species_at_sites": [one["name"] for one in species],
        "structure_features": [] if crystal.is_ordered else ["disorder"],
        **{PREFIX + name: value for name, value in ours.items()},
    }


def _species(crystal: Crystal, site: int) -> dict[str, Any]:
    if crystal.occupancies is None:
        symbol = SYMBOLS[crystal.numbers[site]]
        return {"name": symbol, "chemical_symbols": [symbol], "concentration": [1.0]}
    shares = {SYMBOLS[number]: share for number, share in crystal.occupancies[site]}
    empty = 1.0 - sum(shares.values())
    if empty > 1e-9:
        shares["vacancy"] = empty
    name = "".join(f"{symbol}{share:g}" for symbol, share in shares.items())
    return {"name": name, "chemical_symbols": list(shares), "concentration": list(shares.values())}


def _whole(counts: Mapping[str, float]) -> dict[str, int] | None:
    """The smallest whole numbers in these proportions; None where the cell holds fractions of atoms."""
    if any(abs(amount - round(amount)) > 1e-6 for amount in counts.values()):
        return None
    numbers = {symbol: round(amount) for symbol, amount in counts.items()}
    divisor = reduce(gcd, numbers.values())
    return {symbol: number // divisor for symbol, number in numbers.items()}


def _reduced(counts: Mapping[str, float]) -> str | None:
    whole = _whole(counts)
    return None if whole is None else "".join(f"{symbol}{_times(number)}" for symbol, number in whole.items())


def _anonymous(counts: Mapping[str, float]) -> str | None:
    whole = _whole(counts)
    if whole is None:
        return None
    letters = (chr(ord("A") + i) if i < 26 else f"A{chr(ord('a') + i - 26)}" for i in range(len(whole)))
    return "".join(
        f"{letter}{_times(n)}" for letter, n in zip(letters, sorted(whole.values(), reverse=True), strict=True)
    )


def _times(number: int) -> str:
    return "" if number == 1 else str(number)


def _properties(columns: Columns) -> dict[str, Any]:
    words = {PREFIX + name: {"description": name.replace("_", " "), "type": "string"} for name in _DESCRIBED}
    numbers = {
        PREFIX + _word(name): {"description": name.replace("_", " "), "type": "float", "unit": unit}
        for name, unit in columns.quantities
    }
    return words | numbers


def _word(name: str) -> str:
    """A name in the letters that OPTIMADE allows."""
    return "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name.lower())


def _line(file: IO[bytes], entry: Mapping[str, Any]) -> None:
    file.write(json.dumps(entry, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n")
