"""Reading hard constraints for generators that try and reject."""

from __future__ import annotations

from collections.abc import Mapping

from matwright.elements import symbol
from matwright.errors import InputError
from matwright.generation.layers.tables import N_LAYER_GROUPS
from matwright.materials.constraints import Constraints


def check_demands(constraints: Constraints, known: frozenset[int]) -> None:
    """Raise InputError, with the contradiction, unless something could satisfy the constraints.

    Args:
        constraints: what is asked for.
        known: atomic numbers the generator can use.
    """
    usable = (constraints.allowed or known) - constraints.forbidden
    demanded = constraints.required | set(constraints.formula or ())
    for number in sorted(demanded):
        if number not in usable:
            raise InputError(f"{symbol(number)} is demanded and excluded at the same time, or not known here")
    if constraints.formula is not None and not constraints.required <= constraints.formula.keys():
        raise InputError("the demanded formula lacks a demanded element")
    if not usable & known:
        raise InputError("no element is left that this generator knows")
    if constraints.n_atoms[0] > constraints.n_atoms[1] or constraints.n_elements[0] > constraints.n_elements[1]:
        raise InputError("the smallest number of atoms or elements is above the largest")
    if constraints.formula is not None and sum(constraints.formula.values()) > constraints.n_atoms[1]:
        raise InputError(f"the demanded formula has more than {constraints.n_atoms[1]} atoms")
    if len(demanded) > constraints.n_elements[1]:
        raise InputError(f"{len(demanded)} elements are demanded, at most {constraints.n_elements[1]} allowed")
    if any(not 1 <= group <= 230 for group in constraints.space_groups):
        raise InputError("space groups lie in 1..230")
    if any(not 1 <= group <= N_LAYER_GROUPS for group in constraints.layer_groups):
        raise InputError(f"layer groups lie in 1..{N_LAYER_GROUPS}")
    if constraints.layer_groups and constraints.space_groups:
        raise InputError("space groups and layer groups exclude each other: a layer has no space group")


def formula_reason(counts: Mapping[int, int], constraints: Constraints) -> str:
    """Why a reduced formula breaks the constraints; empty where it does not."""
    elements = counts.keys()
    if constraints.allowed and not elements <= constraints.allowed:
        return "an element is not allowed"
    if elements & constraints.forbidden:
        return "an element is excluded"
    if not constraints.required <= elements:
        return "a demanded element is missing"
    if constraints.formula is not None and dict(counts) != dict(constraints.formula):
        return "another formula is demanded"
    if not constraints.n_elements[0] <= len(elements) <= constraints.n_elements[1]:
        return "too many or too few elements"
    return ""
