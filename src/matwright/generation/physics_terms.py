"""Physics regularisers R_k of the loss (E24): what the decoder is about to write should be possible.

A sequence is a chain of choices through which no gradient passes. So each term is the expectation over one next choice
of what it would do to a crystal whose other choices are the true ones, and its gradient reaches the decoder's logits,
means and widths, and through the latent the recognition network.

* distance: Σ over free coordinates of E[max(0, r − d)²], d the shortest distance of the orbit to any atom (its own
  images included) over the sum of the covalent radii, r = `CROWDED`;
* density: E[max(0, |x| − `DENSE`)²], x the logarithm of the volume over the sum of the elements' volumes, in spreads of
  the training crystals;
* charge: probability of a last count that leaves the formula charged, where the true count leaves it neutral.

All are per sequence and without unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from matwright.generation.clearance import closest, covalent_radii, primitive_maps
from matwright.generation.foreseen import CoordinateStep, Foreseen
from matwright.generation.packing import SequencePacker
from matwright.generation.sequence_batch import SequenceBatch
from matwright.physics.chemistry import known_states

CROWDED = 0.75
"""Distance over the sum of the covalent radii below which atoms repel in the distance term."""
DENSE = 3.0
"""Spreads of the logarithm of the volume beyond which a cell is too dense or too empty."""
LIKELIEST_COMPONENTS = 3
"""Components of a coordinate's mixture over which its expectation is taken."""
TERMS = ("distance", "density", "charge")


@final
@dataclass(frozen=True, slots=True)
class PhysicsTerms:
    """Computes the terms for sequences of one packer, whose scaling turns shapes into cells."""

    packer: SequencePacker

    def __call__(
        self, batch: SequenceBatch, foreseen: Foreseen, rows: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Scalar of each of `TERMS`, mean over `rows` (k,) of the batch.

        Args:
            batch, foreseen: the sequences, and what the decoder foresaw of them.
            rows: which of them count.
            generator: of the draws from the densities; None: torch's global stream.
        """
        return {
            "distance": self._distance(batch, foreseen, rows, generator),
            "density": _density(foreseen, rows, generator),
            "charge": self._charge(batch, foreseen, rows),
        }

    def _distance(
        self, batch: SequenceBatch, foreseen: Foreseen, rows: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        place_of = torch.full((len(batch),), -1)
        place_of[rows] = torch.arange(len(rows))
        crystals = _Crystals(self.packer, batch.select(rows))
        total = torch.zeros(())
        for step in foreseen.coordinates:
            chosen = (place_of[step.rows] >= 0).nonzero()[:, 0]
            if len(chosen):
                total = total + _crowding(crystals, place_of[step.rows[chosen]], step, chosen, generator)
        return total / len(rows)

    def _charge(self, batch: SequenceBatch, foreseen: Foreseen, rows: Tensor) -> Tensor:
        if foreseen.counts is None:
            raise RuntimeError("the decoder has foreseen no counts")
        last = batch.n_elements[rows] - 1
        share = foreseen.counts[rows, last].softmax(-1)
        vocabulary = self.packer.vocabulary
        elements, counts = batch.elements[rows].tolist(), batch.counts[rows].tolist()
        neutral = torch.tensor([
            _neutral_counts(
                tuple(vocabulary.elements[e] for e in elements[i][: end + 1]), tuple(counts[i][:end]),
                vocabulary.max_atoms,
            )
            for i, end in enumerate(last.tolist())
        ])  # fmt: skip
        true = batch.counts[rows, last] - 1
        ionic = neutral.gather(1, true[:, None])[:, 0]
        return ((share * ~neutral).sum(1) * ionic).mean()


def _density(foreseen: Foreseen, rows: Tensor, generator: torch.Generator | None) -> Tensor:
    if foreseen.shape is None:
        raise RuntimeError("the decoder has foreseen no cell")
    logits, mean, width = (part[rows] for part in foreseen.shape)
    noise = torch.randn(logits.shape, generator=generator)
    volume = mean[..., 0] + width[..., 0] * noise
    return (logits.softmax(-1) * (volume.abs() - DENSE).clamp_min(0).square()).sum(1).mean()


@final
class _Crystals:
    """Primitive cells of k sequences with all atoms in place, orbit by orbit."""

    def __init__(self, packer: SequencePacker, batch: SequenceBatch) -> None:
        catalogue, vocabulary = packer.catalogue, packer.vocabulary
        place = (batch.group[:, None], batch.letters)
        self.coords = batch.coords
        self.index = catalogue.index[place]  # (k, n_orbits)
        self.maps = primitive_maps(vocabulary.max_atoms)
        self.lattices = packer.primitive_lattices(batch)
        radii = torch.cat([covalent_radii(vocabulary.elements), torch.zeros(1)])
        self.radii = radii[batch.orbit_elements] * batch.orbit_mask
        size = catalogue.multiplicity[place] * batch.orbit_mask
        self.real = torch.arange(vocabulary.max_atoms) < size[..., None]  # (k, n_orbits, max_atoms)
        self.points = self.placed(self.index, self.coords)

    def placed(self, index: Tensor, coords: Tensor) -> Tensor:
        """(…, max_atoms, 3) points of positions (…,) with free coordinates (…, 3)."""
        maps = self.maps[index]
        return (maps[..., :3] @ coords[..., None, :, None])[..., 0] + maps[..., 3]


def _crowding(
    crystals: _Crystals, rows: Tensor, step: CoordinateStep, chosen: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Scalar sum of E[max(0, CROWDED − d)²] over the chosen orbits of one step; rows (m,) of the crystals."""
    orbits = step.orbits[chosen]
    logits, mean, width = (part[chosen] for part in step.density)
    share, picked = logits.softmax(-1).topk(min(LIKELIEST_COMPONENTS, logits.shape[1]), dim=-1)  # (m, c)
    spread = width.gather(1, picked)
    value = mean.gather(1, picked) + spread * torch.randn(spread.shape, generator=generator)
    m, c = value.shape
    coords = crystals.coords[rows, orbits][:, None].repeat(1, c, 1)
    kept = torch.arange(3) != step.axis
    coords = torch.where(kept, coords, value[..., None]).flatten(0, 1)  # (m·c, 3)
    row, orbit = rows.repeat_interleave(c), orbits.repeat_interleave(c)
    points = crystals.placed(crystals.index[row, orbit], coords)  # (m·c, max_atoms, 3)
    n_orbits, n_points = crystals.index.shape[1], points.shape[1]
    elsewhere = torch.arange(n_orbits) != orbit[:, None]
    real = torch.cat([
        (crystals.real[row] & elsewhere[..., None]).flatten(1), crystals.real[row, orbit],
    ], dim=1)  # fmt: skip
    radii = torch.cat([
        crystals.radii[row].repeat_interleave(n_points, dim=1),
        crystals.radii[row, orbit][:, None].expand(-1, n_points),
    ], dim=1) + crystals.radii[row, orbit][:, None]  # fmt: skip
    others = torch.cat([crystals.points[row].flatten(1, 2), points], dim=1)
    ratio = closest(
        points[:, 0], others, crystals.lattices[row], radii.clamp_min(1e-3), real, itself=n_orbits * n_points
    )
    overlap = (CROWDED - ratio).clamp_min(0).square().view(m, c)
    return (share * overlap).sum()


@lru_cache(maxsize=65536)
def _neutral_counts(numbers: tuple[int, ...], counts: tuple[int, ...], max_atoms: int) -> tuple[bool, ...]:
    """(max_atoms,) whether a last count of 1, 2, … leaves some choice of one oxidation state an element neutral.

    Args:
        numbers: atomic numbers of all elements.
        counts: atoms of all but the last.
    """
    sums = {0}
    for number, count in zip(numbers, counts, strict=False):
        sums = {before + count * state for before in sums for state in known_states(number)}
    last = known_states(numbers[-1])
    return tuple(any(-count * state in sums for state in last) for count in range(1, max_atoms + 1))
