"""What made a model and how good it is, as plain JSON: for its card, for `matwright info` and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from matwright.api.assessment import Assessment, Parts, exact_targets
from matwright.api.condition_ranges import condition_facts
from matwright.api.knowledge import FACTS, target_facts
from matwright.data.sources import Source
from matwright.elements import symbol
from matwright.errors import InputError
from matwright.graphs.store import GraphStore
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig
from matwright.models.learned import LEARNED_FROM, Learned
from matwright.runs import provenance

if TYPE_CHECKING:
    from matwright.api.train_settings import TrainSettings
    from matwright.training.fit import FitResult

_AT_ONCE = 256  # records read together


def about_run(
    source: Source,
    settings: TrainSettings,
    config: GemPpmConfig,
    store: GraphStore,
    parts: Parts,
    results: Sequence[FitResult],
    found: Assessment,
) -> dict[str, Any]:
    """Return the facts of a training run; the caller adds hash, split and counts of rows.

    Args:
        source: what was read.
        settings: what decided the result.
        config: the network of every member.
        store: the records, conditions coded as in the network's schema.
        parts: of the records.
        results: one a member.
        found: on the held-out parts.
    """
    from matwright.models.gem_ppm import GemPpm  # heavy (torch): behind its door

    made, how = provenance(), settings.how
    sizes = store.atom_counts[parts.train]
    return {
        "members": settings.members,
        "parameters": sum(p.numel() for p in GemPpm(config).parameters()),
        "seed": settings.seed,
        "command": made["command"],
        "version": made["version"],
        "commit": made["commit"],
        "platform": made["platform"],
        "data": {
            "file": source.path.name,
            "materials": source.wanted.reading.describe(),
            LEARNED_FROM: Learned.of_lattices(store.lattices[parts.train]).value,
            "keeps_suspicious": source.wanted.reading.steps is not None and source.wanted.reading.steps.keep_doubtful,
            "records": len(store),
            "elements": _elements(store, parts),
            "smallest": int(sizes.min()),
            "largest": int(sizes.max()),
        },
        "reading": source.wanted.reading.as_dict(),
        "conditions": condition_facts(config.conditions, store, parts.train),
        "fit": {
            "protocol": settings.protocol,
            "note": how.note,
            "loss": settings.loss.value,
            "fusion": config.fusion.value if config.conditions is not None else None,
            "epochs": how.settings.epochs,
            "minutes": how.settings.minutes,
            "cpu_seconds": sum(result.seconds for result in results),
            "records_per_second": float(np.mean([result.records_per_second for result in results])),
            "stopped_early": [result.stopped_early for result in results],
        },
        FACTS: facts_of_targets(settings.specs, store, parts, found),
        "metrics": found.metrics,
    }


def facts_of_targets(
    specs: Sequence[PropertySpec], store: GraphStore, parts: Parts, found: Assessment
) -> dict[str, Any]:
    """Return how the training values are spread and how large the held-out errors are where (see `api.knowledge`)."""
    part, indices = ("validation", parts.validation) if found.test is None else ("test", parts.test)
    prediction = found.test or found.validation
    trained, truth = exact_targets(store, parts.train), exact_targets(store, indices)
    return target_facts(specs, trained, part, truth, prediction.properties)


def with_extra(about: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts with what the user adds: "origin" of the data, "limits" (a list of sentences).

    Raises:
        InputError: another name.
    """
    known = {"origin", "limits"}
    if unknown := set(extra) - known:
        raise InputError(f"unknown facts {sorted(unknown)}; the known ones are {sorted(known)}")
    data = {**about["data"], "origin": extra.get("origin")}
    return {**about, "data": data, "limits": list(extra.get("limits", ()))}


def _elements(store: GraphStore, parts: Parts) -> list[str]:
    """Return the symbols of the elements in the training part, by atomic number."""
    seen = np.zeros(256, dtype=bool)
    for start in range(0, len(parts.train), _AT_ONCE):
        graphs = store.ragged(parts.train[start : start + _AT_ONCE])
        seen[graphs.numbers] = True
        seen[graphs.share_numbers] = True
    return [symbol(int(number)) for number in np.flatnonzero(seen)]
