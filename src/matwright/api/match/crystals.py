"""Many crystals in few bytes: arrays in one .npz file, a crystal made when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.materials.crystal import Crystal, SiteOccupancy

_STEPS = 1 << 16
"""Steps that a fractional coordinate is rounded to: at most 0.0001 Å in a cell of 10 Å."""


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedCrystals:
    """n crystals as flat arrays; index one to get it.

    Attributes:
        lattices: (n, 3, 3) float32, Å.
        counts: (n,) sites of each.
        coords: (n_sites, 3) uint16, fractional coordinates in 65,536ths.
        numbers: (n_sites,) uint8.
        share_sites: (n_shares,) int32, ascending; places in `numbers` of the sites that are not one whole atom.
        share_numbers: (n_shares,) uint8.
        shares: (n_shares,) float32, occupancies.
    """

    lattices: NDArray[np.float32]
    counts: NDArray[np.int32]
    coords: NDArray[np.uint16]
    numbers: NDArray[np.uint8]
    share_sites: NDArray[np.int32]
    share_numbers: NDArray[np.uint8]
    shares: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.counts)

    def __getitem__(self, index: int) -> Crystal:
        """The crystal at a place; coordinates are rounded as `coords` says."""
        start = int(self.counts[:index].sum())
        part = slice(start, start + int(self.counts[index]))
        return Crystal(
            lattice=self.lattices[index].astype(np.float64),
            frac_coords=self.coords[part] / _STEPS,
            numbers=self.numbers[part].astype(np.int64),
            occupancies=self._occupancies(part),
        )

    def elements(self) -> NDArray[np.bool_]:
        """(n, 119) which elements each crystal holds."""
        owner = np.repeat(np.arange(len(self)), self.counts)
        held = np.zeros((len(self), 119), dtype=bool)
        held[owner, self.numbers] = True
        held[owner[self.share_sites], self.share_numbers] = True
        return held

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays by name, for `np.savez`."""
        return {name: getattr(self, name) for name in NAMES}

    def _occupancies(self, part: slice) -> tuple[SiteOccupancy, ...] | None:
        first, last = np.searchsorted(self.share_sites, [part.start, part.stop])
        if first == last:
            return None
        sites: list[SiteOccupancy] = [((int(number), 1.0),) for number in self.numbers[part]]
        mixed: dict[int, list[tuple[int, float]]] = {}
        for place in range(first, last):
            pair = (int(self.share_numbers[place]), float(self.shares[place]))
            mixed.setdefault(int(self.share_sites[place]) - part.start, []).append(pair)
        for site, pairs in mixed.items():
            sites[site] = tuple(pairs)
        return tuple(sites)


NAMES = ("lattices", "counts", "coords", "numbers", "share_sites", "share_numbers", "shares")


def pack_crystals(crystals: Sequence[Crystal]) -> PackedCrystals:
    """The crystals as flat arrays; there is at least one."""
    counts = np.array([len(crystal) for crystal in crystals], np.int32)
    starts = np.cumsum(counts) - counts
    shares = [
        (start + site, number, share)
        for start, crystal in zip(starts.tolist(), crystals, strict=True)
        for site, held in enumerate(crystal.occupancies or ())
        if len(held) > 1 or held[0][1] < 1.0
        for number, share in held
    ]
    sites, numbers, amounts = zip(*shares, strict=True) if shares else ((), (), ())
    coords = np.concatenate([crystal.frac_coords for crystal in crystals])
    return PackedCrystals(
        lattices=np.array([crystal.lattice for crystal in crystals], np.float32),
        counts=counts,
        coords=(np.rint(coords * _STEPS).astype(np.int64) % _STEPS).astype(np.uint16),
        numbers=np.concatenate([crystal.numbers for crystal in crystals]).astype(np.uint8),
        share_sites=np.array(sites, np.int32),
        share_numbers=np.array(numbers, np.uint8),
        shares=np.array(amounts, np.float32),
    )


def unpack_crystals(arrays: Mapping[str, NDArray[Any]]) -> PackedCrystals:
    """The crystals that `PackedCrystals.arrays` wrote.

    Raises:
        InputError: an array is missing or does not fit the others.
    """
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise InputError(f"the library lacks {', '.join(missing)}")
    packed = PackedCrystals(**{name: np.asarray(arrays[name]) for name in NAMES})
    n, total = len(packed.counts), int(packed.counts.sum())
    fits = (
        packed.lattices.shape == (n, 3, 3)
        and packed.coords.shape == (total, 3)
        and packed.numbers.shape == (total,)
        and len(packed.share_sites) == len(packed.share_numbers) == len(packed.shares)
        and (packed.counts > 0).all()
        and packed.coords.dtype == np.uint16
    )
    if not fits:
        raise InputError("the arrays of the library do not fit together")
    return packed
