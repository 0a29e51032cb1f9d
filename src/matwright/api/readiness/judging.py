"""What the models say of each target, and what the tables of known materials do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from matwright.api.knowledge import LEVELS, TargetKnowledge
from matwright.api.readiness.knowing import KnowingModel
from matwright.api.readiness.remarks import remarks_on
from matwright.api.readiness.result import KnownMaterials, Readiness, Standing, TargetReadiness
from matwright.api.readiness.sentences import BEST, three_sentences
from matwright.data.hull import Hull
from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import Target, TargetKind
from matwright.units import convert, same_dimension

EXACT = frozenset({"density", "volume_per_atom"})
"""Properties that follow from the structure and need no model."""
HULL_DISTANCE, FORMATION_ENERGY = "e_above_hull", "formation_energy_per_atom"
ENOUGH = 50
"""Training materials in a target's range from which on the model knows it."""


def assess_readiness(
    targets: Sequence[Target],
    models: Sequence[KnowingModel],
    *,
    constraints: Constraints = NO_CONSTRAINTS,
    conditions: Sequence[str] = (),
    hull: Hull | None = None,
    given: tuple[int, int] | None = None,
) -> Readiness:
    """Say what is known of the targets, before anything is generated.

    Args:
        targets: demands and objectives, at least one.
        models: in order of preference; a property comes from the first that predicts it.
        constraints: what a candidate must satisfy.
        conditions: those of `DesignSettings`.
        hull: of known stable compounds; None for the one that ships.
        given: materials that the user gave, and how many of them are predicted to meet every demand.

    Raises:
        InputError: there is no target, or no model knows a condition.
    """
    if not targets:
        raise InputError("readiness is about targets; state at least one")
    judged = tuple(_judge(target, models) for target in targets)
    known = _known(judged, constraints, hull or Hull.load(), given)
    asked = constraints.required | constraints.allowed | frozenset(constraints.formula or ())
    seen = frozenset().union(*(model.elements for model in models))
    missing = tuple(sorted(asked - seen)) if seen else ()
    sentences = three_sentences(judged, missing, known)
    asked_of = {model.name: [one.basis for one in judged if one.model == model.name] for model in models}
    remarks = remarks_on(models, asked_of, conditions)
    return Readiness(targets=judged, unknown_elements=missing, known=known, sentences=sentences, remarks=remarks)


def _judge(target: Target, models: Sequence[KnowingModel]) -> TargetReadiness:
    model = next((one for one in models if target.name in one.properties), None)
    basis = target.name
    if model is None and target.name == HULL_DISTANCE:
        model, basis = next((one for one in models if FORMATION_ENERGY in one.properties), None), FORMATION_ENERGY
    knowledge = None if model is None else model.knowledge.get(basis)
    if knowledge is None or not same_dimension(knowledge.unit, target.unit):
        exact = model is None and target.name in EXACT
        return TargetReadiness(
            target=target,
            model="" if model is None else model.name,
            basis=basis,
            standing=Standing.EXACT if exact else Standing.UNKNOWN,
            unit=target.unit,
            lower=target.lower,
            upper=target.upper,
            knowledge=None,
            n_inside=0,
            region=None,
        )
    lower, upper = (None, None) if basis != target.name else _range(target, knowledge)
    share = knowledge.share_within(lower, upper)
    inside = round(share * knowledge.n)
    return TargetReadiness(
        target=target,
        model=model.name if model is not None else "",
        basis=basis,
        standing=Standing.INSIDE if inside >= ENOUGH else Standing.EDGE if inside else Standing.OUTSIDE,
        unit=knowledge.unit,
        lower=lower,
        upper=upper,
        knowledge=knowledge,
        n_inside=inside,
        region=knowledge.region(lower, upper),
    )


def _range(target: Target, knowledge: TargetKnowledge) -> tuple[float | None, float | None]:
    """The range of a demand in the model's unit; of an objective the best share of the training values."""
    if target.is_objective:
        if target.kind is TargetKind.MINIMISE:
            return None, float(np.interp(BEST, LEVELS, knowledge.values))
        return float(np.interp(1.0 - BEST, LEVELS, knowledge.values)), None
    lower, upper = (
        None if bound is None else convert(bound, target.unit, knowledge.unit) for bound in (target.lower, target.upper)
    )
    return lower, upper


def _known(
    judged: Sequence[TargetReadiness], constraints: Constraints, hull: Hull, given: tuple[int, int] | None
) -> KnownMaterials:
    """Count the compounds of the hull that the constraints on elements allow."""
    compounds = (hull.numbers > 0).sum(axis=1) > 1
    usable = set(constraints.formula or constraints.allowed) or set(range(1, len(SYMBOLS)))
    allowed = np.zeros(len(SYMBOLS), dtype=bool)
    allowed[[0, *(usable - constraints.forbidden)]] = True
    fits = compounds & allowed[hull.numbers].all(axis=1)
    for number in constraints.required | frozenset(constraints.formula or ()):
        fits &= (hull.numbers == number).any(axis=1)
    energy = next((one.target for one in judged if one.target.name == FORMATION_ENERGY), None)
    n_energy = None
    if energy is not None and not energy.is_objective:
        n_energy = int((fits & energy.satisfied(hull.energies)).sum())
    return KnownMaterials(
        n_stable=int(fits.sum()),
        n_stable_all=int(compounds.sum()),
        n_energy=n_energy,
        n_given=None if given is None else given[0],
        n_given_near=None if given is None else given[1],
    )
