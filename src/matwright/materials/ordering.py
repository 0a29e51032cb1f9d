"""Orders a disordered crystal by a named method, so that what needs one structure can read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.materials.interop import from_pymatgen, to_pymatgen
from matwright.materials.silence import quiet_warnings

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

SUPERCELLS = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (2, 2, 1), (2, 1, 2), (1, 2, 2), (2, 2, 2))
"""Tried in this order until the occupancies make whole atoms."""


class OrderingMethod(StrEnum):
    """How partly occupied sites are settled."""

    EWALD = "ewald"


def order(crystal: Crystal, method: OrderingMethod = OrderingMethod.EWALD, *, max_atoms: int = 24) -> Crystal:
    """The crystal with whole atoms on every site; an ordered one comes back as it is.

    EWALD: pymatgen's `OrderDisorderedStructureTransformation` on the smallest of `SUPERCELLS` of the primitive cell in
    which the occupancies make whole atoms: oxidation states guessed from the composition, the
    arrangement of lowest electrostatic energy.

    Raises:
        InputError: no such cell of at most `max_atoms` atoms exists, or the charges cannot be guessed.
    """
    if crystal.is_ordered:
        return crystal
    return _METHODS[method](crystal, max_atoms)


def _by_ewald(crystal: Crystal, max_atoms: int) -> Crystal:
    from pymatgen.transformations.standard_transformations import (  # heavy: behind its door
        OrderDisorderedStructureTransformation,
    )

    structure = to_pymatgen(crystal).get_primitive_structure()
    for scaling in SUPERCELLS:
        cell: Structure = structure.copy()
        cell.make_supercell(scaling)
        amounts = list(cell.composition.as_dict().values())
        if sum(amounts) > max_atoms + 0.5 or any(abs(amount - round(amount)) > 1e-3 for amount in amounts):
            continue
        with quiet_warnings():
            _charge(cell)
            try:
                found: Any = OrderDisorderedStructureTransformation().apply_transformation(cell)
            except ValueError:  # the single sites make no whole atoms in this cell
                continue
        found.remove_oxidation_states()
        return from_pymatgen(found)
    raise InputError(f"no cell of at most {max_atoms} atoms turns the occupancies of the material into whole atoms")


def _charge(cell: Structure) -> None:
    """Give every species the oxidation state that the composition suggests, in place."""
    whole = {element: round(amount) for element, amount in cell.composition.items()}
    guesses = type(cell.composition)(whole).oxi_state_guesses()
    if not guesses:
        raise InputError("the charges of the disordered material cannot be guessed: no combination is neutral")
    cell.add_oxidation_state_by_element({name: float(charge) for name, charge in guesses[0].items()})


_METHODS: Mapping[OrderingMethod, Callable[[Crystal, int], Crystal]] = {OrderingMethod.EWALD: _by_ewald}
