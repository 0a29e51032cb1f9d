"""Teacher forcing: the log-probability of whole padded sequences, one pass through each of the decoder's memories."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.decoder import CHARGE_WIDTH, SequenceDecoder, masked, shape_dimensions
from matwright.generation.densities import choice_log_prob, normal_log_prob, tempered, wrapped_normal_log_prob
from matwright.generation.foreseen import CoordinateStep, Foreseen
from matwright.generation.masks import SequenceMasks
from matwright.generation.sampler import Temperatures
from matwright.generation.sequence_batch import SequenceBatch

AS_LEARNED = Temperatures()
COORDINATE = "coordinate"


def sequence_log_prob(
    decoder: SequenceDecoder,
    batch: SequenceBatch,
    masks: SequenceMasks,
    z: Tensor,
    *,
    temperatures: Temperatures = AS_LEARNED,
    coordinates: bool = True,
    foreseen: Foreseen | None = None,
) -> dict[str, Tensor]:
    """Log-probability (n,) in nats of each kind of choice, given the latents z (n, latent).

    Keys: element, count, units, group, letter, coordinate (density on [0, 1)), shape (density, standardised).

    Args:
        temperatures: of the distributions; those that sequences were drawn at give the probability of drawing them.
        coordinates: whether act 5, the dearest, is looked at; without it the key "coordinate" is missing.
        foreseen: filled with what the decoder would write at each step; None: not kept.
    """
    t = temperatures
    elements, positions = decoder.element_table(), decoder.position_table()
    terms, memory = _formula_terms(decoder, batch, masks, z, elements, t.formula, foreseen)
    context = torch.cat([decoder.drop(memory), z], dim=-1)
    logits = masked(decoder.unit_logits(context), masks.units) / t.formula
    terms["units"] = choice_log_prob(logits, batch.units - 1)
    logits = masked(decoder.group_logits(context, batch.units), masks.groups) / t.structure
    terms["group"] = choice_log_prob(logits, batch.group)
    cell = decoder.cell_context(context, batch.units, batch.group)
    outputs = _structure_outputs(decoder, batch, cell, z, elements, positions)
    logits = masked(decoder.letter_logits(outputs[:, :-1], batch.group[:, None], positions), masks.letters)
    letter = choice_log_prob(logits / t.structure, batch.letters)
    terms["letter"] = torch.where(batch.orbit_mask, letter, torch.zeros_like(letter)).sum(1)
    final = outputs[torch.arange(len(batch)), batch.length]
    active = shape_dimensions(batch.group)
    density = tempered(decoder.shape_density(final, cell), t.shape)
    terms["shape"] = normal_log_prob(batch.shape, *density, active)
    if foreseen is not None:
        foreseen.shape = density
    if not coordinates:
        return terms
    frame = decoder.frame_context(final, cell, batch.shape * active)
    terms[COORDINATE] = _coordinate_terms(decoder, batch, frame, elements, positions, t.coordinate, foreseen)
    return terms


def _formula_terms(
    decoder: SequenceDecoder,
    batch: SequenceBatch,
    masks: SequenceMasks,
    z: Tensor,
    elements: Tensor,
    temperature: float,
    foreseen: Foreseen | None,
) -> tuple[dict[str, Tensor], Tensor]:
    """Terms of the formula, and the memory output (n, formula_width) at its end."""
    n, slots = batch.elements.shape
    embedded = elements[batch.elements]
    charge = (decoder.charge(embedded) * batch.counts[..., None]).cumsum(1)
    atoms = batch.counts.cumsum(1)
    zs = z[:, None, :].expand(-1, slots, -1)
    first = decoder.formula_input(
        elements[-1].expand(n, 1, -1), torch.zeros(n, 1, dtype=torch.int64), charge.new_zeros(n, 1, CHARGE_WIDTH),
        torch.zeros(n, 1, dtype=torch.int64), z[:, None, :],
    )  # fmt: skip
    rest = decoder.formula_input(embedded, batch.counts, charge, atoms, zs)
    outputs, _ = decoder.formula_memory(torch.cat([first, rest], dim=1), decoder.start_formula(z))
    rows, ends = torch.arange(n), batch.n_elements
    terms = _pair_terms(decoder, batch, masks, decoder.drop(outputs), elements, charge, temperature, foreseen)
    return terms, outputs[rows, ends]


def _pair_terms(
    decoder: SequenceDecoder,
    batch: SequenceBatch,
    masks: SequenceMasks,
    outputs: Tensor,
    elements: Tensor,
    charge: Tensor,
    temperature: float,
    foreseen: Foreseen | None,
) -> dict[str, Tensor]:
    """Log-probabilities of the elements (with the end) and of their counts."""
    n, slots = batch.elements.shape
    end = torch.full((n, 1), len(decoder.vocabulary))
    choice = torch.cat([batch.elements, end], dim=1)
    logits = masked(decoder.element_logits(outputs, elements), masks.elements)
    element = choice_log_prob(logits / temperature, choice)
    reached = torch.arange(slots + 1) <= batch.n_elements[:, None]
    real = batch.counts > 0
    before = torch.cat([charge.new_zeros(n, 1, CHARGE_WIDTH), charge[:, :-1]], dim=1)
    logits = decoder.count_logits(outputs[:, :-1][real], elements[batch.elements[real]], before[real])
    logits = masked(logits, masks.counts[real]) / temperature
    count = outputs.new_zeros(n, slots).masked_scatter(real, choice_log_prob(logits, batch.counts[real] - 1))
    if foreseen is not None:
        foreseen.counts = logits.new_zeros(*masks.counts.shape).masked_scatter(real[..., None], logits)
    return {"element": torch.where(reached, element, torch.zeros_like(element)).sum(1), "count": count.sum(1)}


def _structure_outputs(
    decoder: SequenceDecoder, batch: SequenceBatch, cell: Tensor, z: Tensor, elements: Tensor, positions: Tensor
) -> Tensor:
    """(n, n_orbits + 1, structure_width) memory outputs; entry t has read the orbits before t."""
    n, orbits = batch.letters.shape
    element, index = _orbits(decoder, batch)
    remaining, total = orbit_budget(batch, decoder.catalogue)
    zero = torch.zeros(n, 1, dtype=torch.int64)
    none = torch.full_like(zero, len(decoder.vocabulary))
    inputs = decoder.structure_input(
        elements[torch.cat([none, element], 1)],
        positions[torch.cat([zero, index], 1)],
        elements[torch.cat([element, none], 1)],
        torch.cat([remaining, zero], 1),
        torch.cat([total, zero], 1),
    )
    inputs = torch.cat([inputs, cell[:, None, :].expand(-1, orbits + 1, -1)], dim=-1)
    outputs, _ = decoder.structure_memory(inputs, decoder.start_structure(cell, z))
    return cast(Tensor, decoder.drop(outputs))


def _orbits(decoder: SequenceDecoder, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
    """(n, n_orbits) int64 each: vocabulary index and running number of the position; "none" where padded."""
    real, place = batch.orbit_mask, (batch.group[:, None], batch.letters)
    element = torch.where(real, batch.orbit_elements, torch.full_like(batch.letters, len(decoder.vocabulary)))
    return element, torch.where(real, decoder.catalogue.index[place], torch.zeros_like(element))


def _coordinate_terms(
    decoder: SequenceDecoder,
    batch: SequenceBatch,
    frame: Tensor,
    elements: Tensor,
    positions: Tensor,
    temperature: float,
    foreseen: Foreseen | None,
) -> Tensor:
    """(n,) log density of all free coordinates."""
    total = frame.new_zeros(len(batch))
    freedom = decoder.catalogue.freedom[batch.group[:, None], batch.letters] * batch.orbit_mask
    free = (freedom > 0).any(1).nonzero()[:, 0]
    if len(free) == 0:
        return total
    freedom = freedom[free]
    element, index = (table[free] for table in _orbits(decoder, batch))
    coords, frame = batch.coords[free], frame[free]
    outputs = _geometry_outputs(decoder, element, index, coords, frame, elements, positions)
    row, column = (freedom > 0).nonzero(as_tuple=True)
    site = decoder.site_context(outputs[row, column], positions[index[row, column]], elements[element[row, column]])
    values, degrees = coords[row, column], freedom[row, column]
    for axis in range(3):
        here = degrees > axis
        density = tempered(decoder.coordinate_density(site[here], values[here, :axis]), temperature)
        log_density = wrapped_normal_log_prob(values[here, axis], *density)
        total = total.index_add(0, free[row[here]], log_density)
        if foreseen is not None:
            foreseen.coordinates.append(
                CoordinateStep(rows=free[row[here]], orbits=column[here], axis=axis, density=density)
            )
    return total


def _geometry_outputs(
    decoder: SequenceDecoder,
    element: Tensor,
    index: Tensor,
    coords: Tensor,
    frame: Tensor,
    elements: Tensor,
    positions: Tensor,
) -> Tensor:
    """(n, n_orbits, geometry_width) memory outputs; entry t has read the coordinates of the orbits before t."""
    zero = torch.zeros(len(element), 1, dtype=torch.int64)
    before = torch.cat([torch.full_like(zero, len(decoder.vocabulary)), element[:, :-1]], 1)
    inputs = decoder.geometry_input(
        elements[before],
        positions[torch.cat([zero, index[:, :-1]], 1)],
        torch.cat([coords.new_zeros(len(coords), 1, 3), coords[:, :-1]], dim=1),
        elements[element],
        positions[index],
        frame[:, None, :].expand(-1, element.shape[1], -1),
    )
    outputs, _ = decoder.geometry_memory(inputs, decoder.start_geometry(frame))
    return cast(Tensor, decoder.drop(outputs))


def orbit_budget(batch: SequenceBatch, catalogue: WyckoffCatalogue) -> tuple[Tensor, Tensor]:
    """(n, n_orbits) int64 each: atoms of the orbit's element still to place before it, and in all; 0 where padded."""
    real = batch.orbit_mask
    size = catalogue.multiplicity[batch.group[:, None], batch.letters] * real
    total = (batch.counts * batch.units[:, None]).gather(1, batch.slots) * real
    same = (batch.slots[:, :, None] == batch.slots[:, None, :]) & real[:, :, None] & real[:, None, :]
    earlier = torch.tril(torch.ones(size.shape[1], size.shape[1], dtype=torch.bool), diagonal=-1)
    placed = ((same & earlier) * size[:, None, :]).sum(-1)
    return total - placed, total
