"""A finished run without a potential: the relaxations are written down by hand, everything after them is real."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from toy import FormulaPredictor, PrototypeGenerator

from matwright.api.design import DesignResult, DesignSettings
from matwright.api.design.finishing import Finisher, ranking, relaxed_record
from matwright.api.design.ingredients import Ingredients, gather
from matwright.api.design.proposal import Proposer
from matwright.api.design.records import DesignRecord
from matwright.api.design.selection import Scoring, chosen_in_order, select
from matwright.materials.interop import amounts
from matwright.materials.target import parse_target
from matwright.screening.potential import Failure
from matwright.screening.relax import Outcome, Relaxation

SETTINGS = DesignSettings(
    targets=(
        parse_target("bulk_modulus>=100 GPa"),
        parse_target("band_gap=2±1.5 eV"),
        parse_target("minimise e_above_hull"),
    ),
    budget=8,
    pool=80,
    per_formula=2,
)


@lru_cache
def finish(outcome_of: Callable[[int, DesignRecord, float], Outcome] | None = None) -> DesignResult:
    """The run whose n-th chosen candidate relaxes to `outcome_of(n, record, hull energy per atom)`.

    The default puts it 0.02 eV/atom times n above the hull, unchanged in shape.
    """
    parts, pool = _pool()
    scoring = Scoring(SETTINGS, pool)
    records = select(pool, SETTINGS, scoring)
    relaxed = []
    for place, record in enumerate(chosen_in_order(records)):
        composition = amounts(record.candidate.crystal)
        zero = parts.references.formation_energy_per_atom(composition, 0.0)
        hull = parts.hull.hull_energy(composition) - zero
        outcome = (outcome_of or above_hull)(place, record, hull)
        relaxed.append(relaxed_record(record, outcome, "chgnet", SETTINGS.thresholds))
    finisher = Finisher(SETTINGS, parts.surrogates, parts.library, parts.hull, parts.references, scoring)
    done = {record.id: record for record in finisher.finish(relaxed)}
    records = [done.get(record.id, record) for record in records]
    return DesignResult(
        records=tuple(records),
        ranked=ranking(records),
        targets=SETTINGS.targets,
        stability=SETTINGS.stability,
        provenance={"version": "0", "command": "matwright design <b>", "settings": {"potential": "chgnet"}},
        notes=("a note with <angle> brackets",),
    )


@lru_cache
def _pool() -> tuple[Ingredients, list[DesignRecord]]:
    """The cheap half, which all runs share."""
    parts = gather(SETTINGS, generator=PrototypeGenerator(), predictors={"toy": FormulaPredictor()})
    return parts, Proposer(parts.settings, parts.generator, parts.surrogates, parts.library).chunk(0)


def above_hull(place: int, record: DesignRecord, hull: float) -> Outcome:
    """Converged, 0.02 eV/atom times `place` above the hull."""
    return relaxation(record, hull + 0.02 * place)


def relaxation(record: DesignRecord, energy_per_atom: float, *, fmax: float = 0.01) -> Relaxation:
    """An outcome that leaves the crystal as it is."""
    crystal = record.candidate.crystal
    return Relaxation(
        crystal=crystal,
        energy=energy_per_atom * len(crystal),
        initial_energy=energy_per_atom * len(crystal) + 0.1,
        fmax=fmax,
        smax=0.1,
        steps=7,
        converged=fmax < 0.05,
        reason="" if fmax < 0.05 else "not converged",
        seconds=1.0,
        potential="chgnet 0.3.0",
    )


def failure(_place: int, _record: DesignRecord, _hull: float) -> Outcome:
    """A potential that fails on every candidate."""
    return Failure(reason="no energy", seconds=1.0)
