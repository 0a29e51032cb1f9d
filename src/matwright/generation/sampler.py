"""Draws sequences from the decoder, step by step and many at once, under masks and temperatures.

Two policies of the decoder share this file's loop: plain sampling and reinforcement learning, which needs the
choices as tensors together with the log-probabilities they were drawn with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.coordinates import Room, draw_coordinates
from matwright.generation.decoder import SequenceDecoder, shape_dimensions
from matwright.generation.densities import normal_log_prob, normal_sample
from matwright.generation.formulas import GROUP_OVERSAMPLING, Cells, Formulas, draw_cells, draw_formulas
from matwright.generation.masks import MaskRules
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.skeletons import Skeletons, draw_skeletons

Latents = Callable[[int, torch.Generator], Tensor]
"""A source of latents: the number wanted and the random stream give (n, latent)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Temperatures:
    """Sharpening of the decoder's distributions: 1 samples them as learned, towards 0 only the likeliest remains.

    Attributes:
        formula: elements, counts, formula units.
        structure: space group and Wyckoff letters.
        coordinate, shape: mixture densities of the free coordinates and of the cell.
    """

    formula: float = 1.0
    structure: float = 1.0
    coordinate: float = 1.0
    shape: float = 1.0


LIKELIEST = Temperatures(formula=1e-4, structure=1e-4, coordinate=1e-4, shape=1e-4)
"""Greedy decoding: the likeliest choice at every step, the mean of the heaviest component."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """n drawn sequences.

    Attributes:
        batch: the choices.
        log_prob: (n,) nats of each kind of choice under the untempered, masked decoder; see
            `likelihood.sequence_log_prob`.
        z: (n, latent) the latents.
        complete: (n,) bool; False where the masks left no choice before all atoms were placed.
    """

    batch: SequenceBatch
    log_prob: dict[str, Tensor]
    z: Tensor
    complete: Tensor


@torch.no_grad()
def sample_sequences(
    decoder: SequenceDecoder,
    rules: MaskRules,
    n: int,
    *,
    temperatures: Temperatures,
    generator: torch.Generator,
    room: Room | None = None,
    latents: Latents | None = None,
) -> Rollout:
    """Draw n sequences, free ones or with latents from `latents`; incomplete ones are marked, not drawn again.

    With `room`, coordinates that collide are drawn again; without, the decoder's own distribution is sampled.
    """
    drawn = n * GROUP_OVERSAMPLING if rules.restricts_groups else n
    z = (latents or decoder.free_latents)(drawn, generator)
    formula = draw_formulas(decoder, rules, z, temperatures.formula, generator)
    formula, cells = draw_cells(
        decoder,
        rules,
        formula,
        n,
        temperature=temperatures.formula,
        group_temperature=temperatures.structure,
        generator=generator,
    )
    cell = decoder.cell_context(cells.context, cells.units, cells.group)
    written = draw_skeletons(decoder, rules, formula, cells, cell, temperatures.structure, generator)
    return _draw_geometry(decoder, formula, cells, written, cell, temperatures, room, generator)


def _draw_geometry(
    decoder: SequenceDecoder,
    formula: Formulas,
    cells: Cells,
    written: Skeletons,
    cell: Tensor,
    temperatures: Temperatures,
    room: Room | None,
    generator: torch.Generator,
) -> Rollout:
    """Draw the shape of each cell, then the free coordinates in it."""
    weights, mean, width = decoder.shape_density(written.final, cell)
    active = shape_dimensions(cells.group)
    shape = normal_sample(weights, mean, width, temperature=temperatures.shape, generator=generator)
    shape = torch.where(active, shape, torch.zeros_like(shape))
    length = written.length.clamp_min(1)
    longest = int(length.max())
    batch = SequenceBatch(
        elements=formula.elements,
        counts=formula.counts,
        units=cells.units,
        group=cells.group,
        slots=written.slots[:, :longest],
        letters=written.letters[:, :longest],
        coords=torch.zeros(len(length), longest, 3),
        length=length,
        shape=shape,
    )
    frame = decoder.frame_context(written.final, cell, shape)
    log_coordinate = draw_coordinates(
        decoder, batch, frame, room, temperature=temperatures.coordinate, generator=generator
    )
    log_prob = formula.log_prob | {
        "letter": written.log_letter,
        "shape": normal_log_prob(shape, weights, mean, width, active),
        "coordinate": log_coordinate,
    }
    return Rollout(batch=batch, log_prob=log_prob, z=formula.z, complete=written.complete)
