"""Draws the free coordinates of cells whose positions and shapes are settled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from matwright.generation.clearance import ClearanceRule, OccupiedCells, covalent_radii
from matwright.generation.decoder import SequenceDecoder
from matwright.generation.densities import wrapped_normal_log_prob, wrapped_normal_sample
from matwright.generation.packing import SequencePacker
from matwright.generation.sequence_batch import SequenceBatch

WARMER = 1.4
"""Factor on the temperature of draws that follow a collision."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is needed to see collisions: the scaling that turns shapes into cells, and how much room atoms need."""

    packer: SequencePacker
    rule: ClearanceRule

    def enter(self, batch: SequenceBatch) -> OccupiedCells:
        """The cells of a batch with all orbits without freedom in place."""
        catalogue, vocabulary = self.packer.catalogue, self.packer.vocabulary
        occupied = OccupiedCells(self.packer.primitive_lattices(batch), catalogue, vocabulary.max_atoms)
        place = (batch.group[:, None], batch.letters)
        fixed = batch.orbit_mask & (catalogue.freedom[place] == 0)
        index, radii = catalogue.index[place], self.radii(batch)
        for step in range(batch.letters.shape[1]):
            rows = fixed[:, step].nonzero()[:, 0]
            occupied.place(rows, index[rows, step], batch.coords[rows, step], radii[rows, step])
        return occupied

    def radii(self, batch: SequenceBatch) -> Tensor:
        """(n, n_orbits) Å, covalent radius of the element on each orbit; 0 where padded."""
        table = torch.cat([covalent_radii(self.packer.vocabulary.elements), torch.zeros(1)])
        return table[batch.orbit_elements] * batch.orbit_mask


def draw_coordinates(
    decoder: SequenceDecoder,
    batch: SequenceBatch,
    frame: Tensor,
    room: Room | None,
    *,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """Fill `batch.coords` in place; the (n,) untempered log density of what was drawn comes back."""
    catalogue = decoder.catalogue
    place = (batch.group[:, None], batch.letters)
    freedom = catalogue.freedom[place] * batch.orbit_mask
    last = (freedom > 0) * torch.arange(1, freedom.shape[1] + 1)
    rows = (freedom > 0).any(1).nonzero()[:, 0]
    total = torch.zeros(len(batch))
    if len(rows) == 0:
        return total
    elements, positions = decoder.element_table(), decoder.position_table()
    index, radii = catalogue.index[place], None if room is None else room.radii(batch)
    occupied = None if room is None else room.enter(batch)
    none = len(decoder.vocabulary)
    state = decoder.start_geometry(frame[rows])
    before, position = torch.full((len(rows),), none), torch.zeros(len(rows), dtype=torch.int64)
    coords = torch.zeros(len(rows), 3)
    for step in range(int(last.max())):
        keep = (last[rows].amax(1) > step).nonzero()[:, 0]
        rows, before, position, coords = rows[keep], before[keep], position[keep], coords[keep]
        element, target = batch.orbit_elements[rows, step], index[rows, step]
        inputs = decoder.geometry_input(
            elements[before], positions[position], coords, elements[element], positions[target], frame[rows]
        )
        outputs, state = decoder.geometry_memory(inputs[:, None], (state[0][:, keep], state[1][:, keep]))
        free = freedom[rows, step].nonzero()[:, 0]
        coords = torch.zeros(len(rows), 3)
        if len(free):
            site = decoder.site_context(outputs[free, 0], positions[target[free]], elements[element[free]])
            orbit = _Orbit(rows=rows[free], position=target[free], freedom=freedom[rows[free], step])
            if room is None or occupied is None or radii is None:
                drawn, density = _draw(decoder, site, orbit.freedom, temperature, generator)
            else:
                radius = radii[orbit.rows, step]
                drawn, density = _draw_apart(decoder, site, orbit, occupied, radius, room.rule, temperature, generator)
                occupied.place(orbit.rows, orbit.position, drawn, radius)
            coords[free] = drawn
            batch.coords[orbit.rows, step] = drawn
            total[orbit.rows] += density
        before, position = element, target
    return total


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Orbit:
    """One orbit of each of m rows: place in the batch, running number of the position, free coordinates."""

    rows: Tensor
    position: Tensor
    freedom: Tensor


def _draw_apart(
    decoder: SequenceDecoder,
    site: Tensor,
    orbit: _Orbit,
    occupied: OccupiedCells,
    radius: Tensor,
    rule: ClearanceRule,
    temperature: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """As `_draw`, again for orbits that come too close to an atom, `rule.tries` times; the roomiest draw wins."""
    coords, density = _draw(decoder, site, orbit.freedom, temperature, generator)
    ratio = occupied.room(orbit.rows, orbit.position, coords, radius)
    close = (ratio < rule.min_ratio).nonzero()[:, 0]
    if len(close) == 0:
        return coords, density
    many = close.repeat_interleave(rule.tries)
    again, its_density = _draw(decoder, site[many], orbit.freedom[many], WARMER * temperature, generator)
    its_ratio = occupied.room(orbit.rows[many], orbit.position[many], again, radius[many])
    # room beyond the rule is no merit: of the draws that keep it, the first is taken
    best = its_ratio.clamp(max=rule.min_ratio).view(-1, rule.tries).argmax(1)
    picked = torch.arange(len(close)) * rule.tries + best
    better = its_ratio[picked] > ratio[close]
    coords[close[better]], density[close[better]] = again[picked[better]], its_density[picked[better]]
    return coords, density


def _draw(
    decoder: SequenceDecoder, site: Tensor, freedom: Tensor, temperature: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """(m, 3) free coordinates, the unused ones 0, and their (m,) untempered log density."""
    coords, log_density = torch.zeros(len(site), 3), torch.zeros(len(site))
    for axis in range(3):
        here = (freedom > axis).nonzero()[:, 0]
        if len(here) == 0:
            break
        density = decoder.coordinate_density(site[here], coords[here, :axis])
        value = wrapped_normal_sample(*density, temperature=temperature, generator=generator)
        coords[here, axis] = value
        log_density[here] += wrapped_normal_log_prob(value, *density)
    return coords, log_density
