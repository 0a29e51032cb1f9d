"""What goes into a store: structures, evaluators and records, each once, whoever writes it first."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from sqlalchemy import Connection, insert, select
from sqlalchemy.sql.schema import Table

from matwright.campaign.evaluator import Evaluation, Evaluator, evaluator_hash
from matwright.campaign.store.address import record_key, structure_text, text_hash
from matwright.campaign.store.blobs import blob_hash
from matwright.campaign.store.database import Database
from matwright.campaign.store.schema import blobs, evaluators, origins, quantities, records, structures
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula
from matwright.runs import provenance
from matwright.serialization import to_plain

_CHUNK = 500  # addresses in one query


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An evaluation on its way into the store.

    Attributes:
        structure: address of the structure that was evaluated; it is in the store already.
        evaluation: values or failure; nothing pending.
        attempts: tries that it took.
    """

    structure: str
    evaluation: Evaluation
    attempts: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredEvaluator:
    """An evaluator's place in a store: id there, and the hash that its records are addressed with."""

    id: int
    hash: str


def plain_json(value: object) -> str:
    """A value as compact JSON with its keys in order."""
    return json.dumps(to_plain(value), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def add_structures(database: Database, connection: Connection, crystals: Sequence[Crystal]) -> dict[str, int]:
    """Put crystals into the store; address → id, in the order given, without repeats."""
    texts: dict[str, tuple[str, Crystal]] = {}
    for crystal in crystals:
        text = structure_text(crystal)
        texts.setdefault(text_hash(text), (text, crystal))
    known = _ids(connection, structures, list(texts))
    rows = [
        {"hash": digest, "formula": reduced_formula(crystal), "n_sites": len(crystal), "data": text}
        for digest, (text, crystal) in texts.items()
        if digest not in known
    ]
    if rows:
        connection.execute(database.insert_new(structures), rows)
        known |= _ids(connection, structures, [digest for digest in texts if digest not in known])
    return {digest: known[digest] for digest in texts}


def register(database: Database, connection: Connection, evaluator: Evaluator) -> RegisteredEvaluator:
    """Put an evaluator into the store, or find it there."""
    digest = evaluator_hash(evaluator)
    row = {
        "hash": digest,
        "name": evaluator.name,
        "version": evaluator.version,
        "fidelity": evaluator.fidelity.value,
        "settings": plain_json(evaluator.settings),
        "units": plain_json(evaluator.units),
    }
    connection.execute(database.insert_new(evaluators), row)
    return RegisteredEvaluator(id=_ids(connection, evaluators, [digest])[digest], hash=digest)


def add_origin(connection: Connection) -> int:
    """Say what records from now on: this process, its versions and its machine; the id of that."""
    row = {"data": plain_json(provenance())}
    return int(connection.execute(insert(origins).returning(origins.c.id), row).scalar_one())


def add_records(
    database: Database,
    connection: Connection,
    evaluator: RegisteredEvaluator,
    findings: Sequence[Finding],
    *,
    origin: int,
) -> int:
    """Record findings; what is recorded already stays as it is. How many are new.

    Their files must be in the store's folder already.
    """
    crystals = [found.evaluation.crystal for found in findings if found.evaluation.crystal is not None]
    results = add_structures(database, connection, crystals)
    places = _ids(connection, structures, [found.structure for found in findings])
    by_key = {record_key(found.structure, evaluator.hash): found for found in findings}
    now = time.time()
    rows = [
        {
            "key": key,
            "structure_id": places[found.structure],
            "evaluator_id": evaluator.id,
            "origin_id": origin,
            "result_id": _result(found, results),
            "attempts": found.attempts,
            "seconds": found.evaluation.seconds,
            "created": now,
            **_failure(found.evaluation),
        }
        for key, found in by_key.items()
    ]
    if not rows:
        return 0
    statement = database.insert_new(records).returning(records.c.id, records.c.key)
    new = {key: number for number, key in connection.execute(statement, rows).all()}
    _add_parts(connection, evaluator, {number: by_key[key] for key, number in new.items()})
    return len(new)


def _failure(evaluation: Evaluation) -> dict[str, str | None]:
    failure = evaluation.failure
    return {
        "failure": None if failure is None else failure.kind.value,
        "reason": None if failure is None else failure.reason,
    }


def _result(found: Finding, results: Mapping[str, int]) -> int | None:
    """The id of the structure that the values belong to; None where it is the one that was given."""
    crystal = found.evaluation.crystal
    if crystal is None:
        return None
    digest = text_hash(structure_text(crystal))
    return None if digest == found.structure else results[digest]


def _add_parts(connection: Connection, evaluator: RegisteredEvaluator, new: Mapping[int, Finding]) -> None:
    """The quantities and files of records that were written in this transaction."""
    values: list[dict[str, Any]] = [
        {
            "record_id": number,
            "name": name,
            "evaluator_id": evaluator.id,
            "value": quantity.value,
            "std": quantity.std,
            "unit": quantity.unit,
        }
        for number, found in new.items()
        for name, quantity in found.evaluation.values.items()
    ]
    files: list[dict[str, Any]] = [
        {"record_id": number, "name": name, "hash": blob_hash(data), "size": len(data)}
        for number, found in new.items()
        for name, data in found.evaluation.blobs.items()
    ]
    for table, rows in ((quantities, values), (blobs, files)):
        if rows:
            connection.execute(insert(table), rows)


def _ids(connection: Connection, table: Table, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(digests), _CHUNK):
        query = select(table.c.hash, table.c.id).where(table.c.hash.in_(digests[start : start + _CHUNK]))
        found |= {digest: int(number) for digest, number in connection.execute(query).all()}
    return found
