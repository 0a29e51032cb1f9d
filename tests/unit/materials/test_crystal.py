from __future__ import annotations

import numpy as np
import pytest

from matwright.errors import InputError
from matwright.materials.crystal import Crystal

LATTICE = np.eye(3) * 4
SITE = np.zeros((1, 3))
SODIUM = np.array([11])


def test_coordinates_are_wrapped_along_periodic_directions_only() -> None:
    coords = np.array([[1.25, -0.25, 2.5], [-1e-18, 1.0, -0.5]])
    crystal = Crystal(lattice=LATTICE, frac_coords=coords, numbers=np.array([11, 17]), pbc=(True, True, False))
    np.testing.assert_allclose(crystal.frac_coords, [[0.25, 0.75, 2.5], [0.0, 0.0, -0.5]])
    assert (crystal.frac_coords[:, :2] < 1.0).all()
    assert coords[0, 0] == 1.25
    assert (len(crystal), crystal.volume, crystal.is_ordered) == (2, pytest.approx(64), True)
    np.testing.assert_allclose(crystal.cart_coords, crystal.frac_coords * 4)


def test_arrays_cannot_be_changed_and_the_hash_is_of_the_content() -> None:
    crystal = Crystal(lattice=LATTICE, frac_coords=SITE, numbers=SODIUM)
    for array in (crystal.lattice, crystal.frac_coords, crystal.numbers):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    assert crystal.content_hash() == Crystal(lattice=LATTICE, frac_coords=SITE + 1, numbers=SODIUM).content_hash()
    others = [
        Crystal(lattice=LATTICE * 1.01, frac_coords=SITE, numbers=SODIUM),
        Crystal(lattice=LATTICE, frac_coords=SITE + 0.1, numbers=SODIUM),
        Crystal(lattice=LATTICE, frac_coords=SITE, numbers=np.array([12])),
        Crystal(lattice=LATTICE, frac_coords=SITE, numbers=SODIUM, pbc=(True, True, False)),
        Crystal(lattice=LATTICE, frac_coords=SITE, numbers=SODIUM, occupancies=(((11, 0.5),),)),
    ]
    assert len({crystal.content_hash(), *(other.content_hash() for other in others)}) == 6


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lattice": np.eye(2)}, "lattice has shape"),
        ({"lattice": np.full((3, 3), np.nan)}, "finite"),
        ({"lattice": np.ones((3, 3))}, "no volume"),
        ({"frac_coords": np.full((1, 3), np.inf)}, "finite"),
        ({"frac_coords": np.zeros((2, 3))}, "shape"),
        ({"numbers": np.array([], dtype=int)}, "at least one site"),
        ({"numbers": np.array([0])}, "atomic numbers"),
        ({"numbers": np.array([119])}, "atomic numbers"),
        ({"occupancies": ()}, "1 sites need 1"),
        ({"occupancies": ((),)}, "occupancies of a site"),
        ({"occupancies": (((11, 0.7), (19, 0.7)),)}, "at most 1"),
        ({"occupancies": (((11, -0.1),),)}, "occupancies of a site"),
    ],
)
def test_an_impossible_crystal_is_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Crystal(**({"lattice": LATTICE, "frac_coords": SITE, "numbers": SODIUM} | changes))  # type: ignore[arg-type]
