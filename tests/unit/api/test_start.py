"""A start fits graphs of what it learned from: structures of every kind, molecules too, but no bare compositions."""

from __future__ import annotations

import numpy as np
import pytest

from matwright.api.parts import split_settings
from matwright.api.start import check_materials
from matwright.api.train_settings import TrainSettings
from matwright.errors import InputError
from matwright.graphs.builder import build_graph
from matwright.graphs.store import pack
from matwright.materials.composition import Composition
from matwright.materials.material import Structure
from matwright.materials.molecule import Molecule
from matwright.training.settings import protocol
from small_data import ENERGY, crystals

WATER = Molecule(coords=np.array([[0.0, 0.0, 0.0], [0.76, 0.59, 0.0], [-0.76, 0.59, 0.0]]), numbers=np.array([8, 1, 1]))


def lattices(structure: Structure) -> np.ndarray:
    return pack([build_graph(structure)]).lattices


def settings(start: str | None) -> TrainSettings:
    return TrainSettings(
        specs=(ENERGY,), split=split_settings(None, None), protocol="default", how=protocol("default"), start=start
    )


@pytest.mark.parametrize("structure", [crystals(1)[0], WATER], ids=["crystal", "molecule"])
def test_a_model_of_structures_starts_any_structure(structure: Structure) -> None:
    check_materials(settings("mp-crystal"), lattices(structure))


def test_a_model_of_structures_starts_no_compositions() -> None:
    bare = lattices(Composition.from_formula("NaCl"))
    check_materials(settings(None), bare)
    with pytest.raises(InputError, match="mp-crystal learned from structures, this table holds compositions"):
        check_materials(settings("mp-crystal"), bare)
