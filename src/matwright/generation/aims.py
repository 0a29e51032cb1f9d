"""Where in latent space to sample: around a given material, or on the way between two (E24–E25).

Distances are taken in u, where the prior is N(0, I): u' = √(1 − s²) u + s ε keeps that distribution, so that spread
s = 0 is the material itself and s = 1 the whole prior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.errors import InputError, MatwrightError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.graph_reader import with_graphs
from matwright.generation.sampler import Latents
from matwright.generation.wyckoff.encode import encode
from matwright.materials.crystal import Crystal


def _check_spread(spread: float) -> None:
    if not 0 <= spread <= 1:
        raise InputError(f"the spread lies in 0..1 (0 the material itself, 1 anything), found {spread}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Materials whose latents lie near that of one crystal.

    Attributes:
        crystal: ordered, periodic in three directions.
        spread: 0..1, share of noise.
    """

    crystal: Crystal
    spread: float = 0.3

    def __post_init__(self) -> None:
        _check_spread(self.spread)

    def latents(self, trained: TrainedGenerator) -> Latents:
        """The source of latents for one generator.

        Raises:
            InputError: the crystal is none that the generator could write.
        """
        centre = base_of(trained, self.crystal)
        return _source(trained, lambda n, _: centre.expand(n, -1), self.spread)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Materials whose latents lie on the way from one crystal to another, evenly over the way.

    Attributes:
        first, second: ordered, periodic in three directions.
        spread: 0..1, share of noise.
    """

    first: Crystal
    second: Crystal
    spread: float = 0.1

    def __post_init__(self) -> None:
        _check_spread(self.spread)

    def latents(self, trained: TrainedGenerator) -> Latents:
        """The source of latents for one generator.

        Raises:
            InputError: a crystal is none that the generator could write.
        """
        start, end = base_of(trained, self.first), base_of(trained, self.second)

        def on_the_way(n: int, generator: torch.Generator) -> Tensor:
            share = torch.rand(n, 1, generator=generator)
            mixed = (1 - share) * start + share * end
            ends = torch.stack([start, end]).square().sum(1).sqrt()
            length = (1 - share) * ends[0] + share * ends[1]  # a straight mean of two would be too short
            return mixed * length / mixed.square().sum(1, keepdim=True).sqrt().clamp_min(1e-9)

        return _source(trained, on_the_way, self.spread)


Aim = Around | Between
"""A region of latent space that a sample comes from."""


@torch.no_grad()
def base_of(trained: TrainedGenerator, crystal: Crystal) -> Tensor:
    """(latent,) u of a crystal: the mean of its latent, taken back through the flow.

    Raises:
        InputError: the crystal is disordered, a layer, has no symmetry that can be found, or elements or a size outside
            what the generator has learned.
    """
    if not crystal.is_ordered:
        raise InputError("the material is disordered: partly occupied sites are no single structure; order it first")
    if not all(crystal.pbc):
        raise InputError("the material is not periodic in three directions; this generator writes crystals only")
    try:
        sequence = encode(crystal)
    except MatwrightError as problem:
        raise InputError(f"the symmetry of the material cannot be found: {problem}") from problem
    packer = trained.packer
    if not packer.fits(sequence):
        for number in sequence.composition:
            packer.vocabulary.index(number)  # names an element it has not learned
        raise InputError(
            f"the material has {sequence.n_atoms} atoms and {len(sequence.composition)} elements; the generator writes "
            f"at most {packer.vocabulary.max_atoms} and {packer.vocabulary.max_elements}"
        )
    batch = packer.pack([sequence])
    if trained.reader is not None:
        batch = with_graphs(batch, packer, trained.reader)
    mean, _ = trained.model.encoder(batch)
    bases: Tensor = trained.model.decoder.prior.to_base(mean)[0]
    return bases.squeeze(0)


def _source(trained: TrainedGenerator, centre: Callable[[int, torch.Generator], Tensor], spread: float) -> Latents:
    prior = trained.model.decoder.prior

    def draw(n: int, generator: torch.Generator) -> Tensor:
        middle = centre(n, generator)
        noise = torch.randn(middle.shape, generator=generator)
        return prior.to_latent((1 - spread**2) ** 0.5 * middle + spread * noise)

    return draw
