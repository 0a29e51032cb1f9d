"""From symmetry-true sequences to padded tensors and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from matwright.errors import InputError
from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.cell_shape import (
    CellScaling,
    cell_parameters,
    fit_volumes,
    free_parameters,
    full_parameters,
    raw_shape,
    unit_volume,
)
from matwright.generation.sequence_batch import SequenceBatch
from matwright.generation.vocabulary import Vocabulary
from matwright.generation.wyckoff import Orbit, SymmetrySequence
from matwright.generation.wyckoff.decode import SequenceArrays, conventional_lattices, free_of_cells
from matwright.generation.wyckoff.tables import LETTERS, space_group


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SequencePacker:
    """Writes sequences as tensors in the generator's own order of elements, and reads them back."""

    vocabulary: Vocabulary
    catalogue: WyckoffCatalogue
    scaling: CellScaling

    def fits(self, sequence: SymmetrySequence) -> bool:
        """Whether elements and size lie inside the vocabulary."""
        composition = sequence.composition
        return (
            all(number in self.vocabulary.elements for number in composition)
            and len(composition) <= self.vocabulary.max_elements
            and sum(composition.values()) <= self.vocabulary.max_atoms
        )

    def pack(self, sequences: Sequence[SymmetrySequence]) -> SequenceBatch:
        """The sequences as padded tensors.

        Raises:
            InputError: a sequence does not fit the vocabulary.
        """
        for place, sequence in enumerate(sequences):
            if not self.fits(sequence):
                raise InputError(f"sequence {place} has elements or a size outside the generator's vocabulary")
        longest = max(len(sequence.orbits) for sequence in sequences)
        n, slots = len(sequences), self.vocabulary.max_elements
        elements = np.full((n, slots), len(self.vocabulary), dtype=np.int64)
        counts = np.zeros((n, slots), dtype=np.int64)
        orbit_slots, letters = np.zeros((2, n, longest), dtype=np.int64)
        coords = np.zeros((n, longest, 3), dtype=np.float32)
        for row, sequence in enumerate(sequences):
            present = sorted((self.vocabulary.index(z), count) for z, count in sequence.composition.items())
            elements[row, : len(present)] = [index for index, _ in present]
            counts[row, : len(present)] = [count for _, count in present]
            slot_of = {self.vocabulary.elements[index]: slot for slot, (index, _) in enumerate(present)}
            keyed = sorted((slot_of[o.number], LETTERS.index(o.letter), o.free) for o in sequence.orbits)
            for column, (slot, letter, free) in enumerate(keyed):
                orbit_slots[row, column], letters[row, column] = slot, letter
                coords[row, column, : len(free)] = free
        units = np.array([gcd(*(int(c) for c in row if c)) for row in counts])
        return SequenceBatch(
            elements=torch.from_numpy(elements),
            counts=torch.from_numpy(counts // units[:, None]),
            units=torch.from_numpy(units),
            group=torch.tensor([sequence.space_group for sequence in sequences]),
            slots=torch.from_numpy(orbit_slots),
            letters=torch.from_numpy(letters),
            coords=torch.from_numpy(coords),
            length=torch.tensor([len(sequence.orbits) for sequence in sequences]),
            shape=torch.from_numpy(self._shapes(sequences).astype(np.float32)),
        )

    def _shapes(self, sequences: Sequence[SymmetrySequence]) -> NDArray[np.float64]:
        """(n, 6) standardised cell shapes."""
        raw = np.stack([
            raw_shape(s.space_group, s.lattice, self._expected(s.space_group, s.composition)) for s in sequences
        ])  # fmt: skip
        return self.scaling.standardise(raw)

    def _expected(self, group: int, composition: dict[int, int]) -> float:
        """Å³ of the conventional cell by the volumes of its elements."""
        primitive = sum(self.scaling.volumes[number] * count for number, count in composition.items())
        return primitive * int(self.catalogue.centring[group])

    def primitive_lattices(self, batch: SequenceBatch) -> Tensor:
        """(n, 3, 3) float32 primitive cell vectors in Å; a unit cell where the angles cannot meet."""
        parameters, groups = np.full((len(batch), 6), np.nan), batch.group.numpy().copy()
        for row, found in enumerate(self._lattices(batch)):
            lattice = found or (1.0, 1.0, 1.0, 90.0, 90.0, 90.0)
            groups[row] = groups[row] if found else 1
            parameters[row, : len(lattice)] = lattice
        rows = np.stack([space_group(int(group)).primitive_rows for group in groups])
        return torch.from_numpy(rows @ conventional_lattices(groups, parameters)).float()

    def _lattices(self, batch: SequenceBatch) -> list[tuple[float, ...] | None]:
        """Free lattice parameters of each row."""
        return free_parameters(batch.group.numpy(), *self._raw(batch))

    def _raw(self, batch: SequenceBatch) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, 6) raw cell shapes and (n,) expected conventional volumes in Å³."""
        numbers = self._numbers(batch)
        counts = (batch.counts * batch.units[:, None]).numpy()
        volumes = np.array(self.scaling.volumes)
        expected = (volumes[numbers] * counts).sum(1) * self.catalogue.centring[batch.group].numpy()
        return self.scaling.restore(batch.shape.double().numpy()), expected

    def arrays(self, batch: SequenceBatch) -> tuple[SequenceArrays, NDArray[np.int64]]:
        """The sequences as flat arrays for `decode_arrays`, without an object a sequence.

        Returns:
            The sequences whose angles can meet, and (n_kept,) their rows in the batch.
        """
        groups = batch.group.numpy()
        cells, closed = cell_parameters(groups, *self._raw(batch))
        rows = np.flatnonzero(closed)
        real = batch.orbit_mask.numpy()[rows]
        owner, _ = real.nonzero()
        numbers = np.take_along_axis(self._numbers(batch), batch.slots.numpy(), axis=1)[rows][real]
        arrays = SequenceArrays(
            space_groups=groups[rows],
            lattices=free_of_cells(groups[rows], cells[rows]),
            crystal=owner,
            positions=batch.letters.numpy()[rows][real],
            numbers=numbers,
            free=(batch.coords.double() % 1.0).numpy()[rows][real],
        )
        return arrays, rows

    def _numbers(self, batch: SequenceBatch) -> NDArray[np.int64]:
        """(n, n_slots) atomic numbers; any element where padded."""
        index = batch.elements.clamp(max=len(self.vocabulary) - 1)
        return np.asarray(np.array(self.vocabulary.elements)[index.numpy()])

    def unpack(self, batch: SequenceBatch) -> list[SymmetrySequence | None]:
        """The sequences of a batch; None where the cell's angles cannot meet."""
        numbers, lattices = self._numbers(batch), self._lattices(batch)
        freedom = self.catalogue.freedom[batch.group[:, None], batch.letters].tolist()
        coords = (batch.coords.double() % 1.0).tolist()
        groups, lengths = batch.group.tolist(), batch.length.tolist()
        letters, slots = batch.letters.tolist(), batch.slots.tolist()
        found: list[SymmetrySequence | None] = []
        for row, lattice in enumerate(lattices):
            if lattice is None:
                found.append(None)
                continue
            orbits = tuple(
                Orbit(
                    number=int(numbers[row, slots[row][o]]),
                    letter=LETTERS[letters[row][o]],
                    free=tuple(coords[row][o][: freedom[row][o]]),
                )
                for o in range(lengths[row])
            )
            found.append(SymmetrySequence(space_group=groups[row], orbits=orbits, lattice=lattice))
        return found


def fit_scaling(sequences: Sequence[SymmetrySequence], catalogue: WyckoffCatalogue) -> CellScaling:
    """Volumes of the elements, and means and spreads of the cell shapes, from training sequences."""
    compositions = [sequence.composition for sequence in sequences]
    cells = np.array([full_parameters(s.space_group, s.lattice) for s in sequences])
    centring = catalogue.centring[[s.space_group for s in sequences]].numpy()
    conventional = cells[:, :3].prod(1) * unit_volume(cells[:, 3], cells[:, 4], cells[:, 5])
    volumes = fit_volumes(compositions, conventional / centring)
    expected = np.array([sum(volumes[z] * c for z, c in comp.items()) for comp in compositions])
    raw = np.stack([
        raw_shape(s.space_group, s.lattice, float(e * k)) for s, e, k in zip(sequences, expected, centring, strict=True)
    ])  # fmt: skip
    std = np.maximum(raw.std(0), 1e-3)
    std[3:] = 10.0
    mean = raw.mean(0)
    mean[3:] = 90.0
    return CellScaling(volumes=volumes, mean=tuple(map(float, mean)), std=tuple(map(float, std)))
