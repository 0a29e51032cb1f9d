"""Crystals as symmetry-true sequences and back: space group, Wyckoff positions, free coordinates, free lattice."""

from matwright.generation.wyckoff.decode import (
    CrystalArrays,
    SequenceArrays,
    decode,
    decode_arrays,
    decode_batch,
    to_arrays,
)
from matwright.generation.wyckoff.encode import encode
from matwright.generation.wyckoff.sequence import Orbit, SymmetrySequence
from matwright.generation.wyckoff.tables import SpaceGroup, WyckoffPosition, lattice_parameters, n_atoms, space_group

__all__ = [
    "CrystalArrays",
    "Orbit",
    "SequenceArrays",
    "SpaceGroup",
    "SymmetrySequence",
    "WyckoffPosition",
    "decode",
    "decode_arrays",
    "decode_batch",
    "encode",
    "lattice_parameters",
    "n_atoms",
    "space_group",
    "to_arrays",
]
