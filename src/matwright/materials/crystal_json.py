"""A crystal as JSON values and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matwright.materials.crystal import Crystal


def crystal_to_json(crystal: Crystal) -> dict[str, Any]:
    """The exact numbers of a crystal as JSON values (floats survive the round trip bit for bit)."""
    data = {
        "lattice": crystal.lattice.tolist(),
        "frac_coords": crystal.frac_coords.tolist(),
        "numbers": crystal.numbers.tolist(),
        "pbc": list(crystal.pbc),
    }
    if crystal.occupancies is not None:
        data["occupancies"] = [[list(pair) for pair in site] for site in crystal.occupancies]
    return data


def crystal_from_json(data: Mapping[str, Any]) -> Crystal:
    """The crystal written by `crystal_to_json`.

    Raises:
        InputError: the numbers are no possible crystal.
    """
    sites = data.get("occupancies")
    return Crystal(
        lattice=data["lattice"],
        frac_coords=data["frac_coords"],
        numbers=data["numbers"],
        occupancies=None if sites is None else tuple(tuple((int(z), float(x)) for z, x in site) for site in sites),
        pbc=(bool(data["pbc"][0]), bool(data["pbc"][1]), bool(data["pbc"][2])),
    )
