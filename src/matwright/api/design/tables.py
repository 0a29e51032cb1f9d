"""The files of a finished run: the table of all candidates, the survivors' CIFs, records of the relaxed ones."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

from matwright.api.design.describe import formula_of, space_group_number
from matwright.api.design.distinct import SYMPREC
from matwright.api.design.records import DesignRecord, Measurement, record_to_json
from matwright.api.design.result import DesignResult
from matwright.materials.crystal import Crystal
from matwright.runs import RunFolder
from matwright.screening.verdict import Verdict
from matwright.serialization import atomic_write_text

CANDIDATES = "candidates.csv"
RECORDS = "records.jsonl"
CIFS = "cifs"


def write_tables(outcome: DesignResult, folder: RunFolder) -> dict[str, str]:
    """Write candidates.csv, records.jsonl and the CIFs; returns the CIF's path in the folder by candidate id."""
    atomic_write_text(folder.file(CANDIDATES), candidates_csv(outcome))
    lines = (json.dumps(record_to_json(record), separators=(",", ":")) for record in outcome.relaxed)
    atomic_write_text(folder.file(RECORDS), "".join(line + "\n" for line in lines))
    folder.file(CIFS, "x").parent.mkdir(exist_ok=True)  # the folder is there even without survivors
    paths = {}
    for rank, record in enumerate(outcome.survivors, start=1):
        name = f"{rank:03d}_{formula_of(record.crystal)}_{record.id}.cif"
        atomic_write_text(folder.file(CIFS, name), cif_text(record.crystal))
        paths[record.id] = f"{CIFS}/{name}"
    return paths


def cif_text(crystal: Crystal) -> str:
    """A CIF with the symmetry found at 0.1 Å (all atoms in P1 where none can be found)."""
    from matwright.materials.interop import to_cif  # heavy: behind its door

    try:
        return to_cif(crystal, symprec=SYMPREC)
    except (ValueError, TypeError, AttributeError):  # pymatgen trips over what spglib cannot standardise
        return to_cif(crystal)


def candidates_csv(outcome: DesignResult) -> str:
    """The table of a design run, see `records_csv`."""
    ranks = {identity: rank for rank, identity in enumerate(outcome.ranked, start=1)}
    return records_csv(outcome.records, ranks)


def records_csv(records: Sequence[DesignRecord], ranks: Mapping[str, int]) -> str:
    """One row a candidate: survivors by rank (given by id), then all others by how far they came.

    Columns of a rung are "rung.measurement [unit]" (with ".lower" and ".upper" where there is an interval) and, for
    each rule, "rung.rule.value [unit]", ".threshold", ".residual", ".passed" and ".reason". Wall-clock times are left
    out, so that the same run gives the same bytes.
    """
    rows = [_row(record, ranks.get(record.id)) for record in _ordered(records, ranks)]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, _grouped(columns, rows), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _ordered(records: Sequence[DesignRecord], ranks: Mapping[str, int]) -> list[DesignRecord]:
    return sorted(records, key=lambda record: (ranks.get(record.id, len(records)), -len(record.rungs), record.id))


def _grouped(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns of one rung side by side, rungs in the order of the longest record, general columns first."""
    prefixes = list(dict.fromkeys(column.split(".")[0] for row in rows for column in row))
    return sorted(columns, key=lambda column: prefixes.index(column.split(".")[0]))


def _row(record: DesignRecord, rank: int | None) -> dict[str, Any]:
    crystal, provenance = record.crystal, record.candidate.provenance
    row: dict[str, Any] = {
        "id": record.id,
        "rank": "" if rank is None else rank,
        "status": "survivor" if rank is not None else "rejected" if not record.alive else "not judged",
        "reached": record.reached,
        "reason": record.reason,
        "formula": formula_of(crystal),
        "space_group": space_group_number(record) or "",
        "n_atoms": len(crystal),
        "generator": provenance.generator,
        "seed": provenance.seed,
        "index": provenance.index,
        "parents": " ".join(provenance.parents),
    }
    for rung in record.rungs:
        row[f"{rung.name}.passed"] = rung.passed
        for measured in rung.measurements:
            row.update(_measurement_cells(rung.name, measured))
        for verdict in rung.verdicts:
            row.update(_verdict_cells(rung.name, verdict))
        row[f"{rung.name}.code"] = f"{rung.code} {rung.version}".strip()
    return row


def _measurement_cells(rung: str, measured: Measurement) -> Iterator[tuple[str, str]]:
    unit = "" if measured.unit == "1" else f" [{measured.unit}]"
    yield f"{rung}.{measured.name}{unit}", _text(measured.value)
    if measured.level is not None:
        yield f"{rung}.{measured.name}.lower{unit}", _text(measured.lower)
        yield f"{rung}.{measured.name}.upper{unit}", _text(measured.upper)


def _verdict_cells(rung: str, verdict: Verdict) -> Iterator[tuple[str, str]]:
    unit = "" if verdict.unit == "1" else f" [{verdict.unit}]"
    yield f"{rung}.{verdict.rule}.value{unit}", _text(verdict.value)
    yield f"{rung}.{verdict.rule}.threshold{unit}", _text(verdict.threshold)
    yield f"{rung}.{verdict.rule}.residual{unit}", _text(verdict.residual)
    yield f"{rung}.{verdict.rule}.passed", str(verdict.passed)
    yield f"{rung}.{verdict.rule}.reason", verdict.reason


def _text(value: float | None) -> str:
    """Six significant figures: more than any of these numbers deserves, fewer than rounding errors reach."""
    return "" if value is None or isnan(value) else f"{value:.6g}"
