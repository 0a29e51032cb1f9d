"""The room that an orbit finds agrees with the contacts of the finished crystal."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from matwright.generation.catalogue import wyckoff_catalogue
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.clearance import ClearanceRule, OccupiedCells, covalent_radii
from matwright.generation.contacts import contacts
from matwright.generation.coordinates import Room
from matwright.generation.latent import LatentGenerator
from matwright.generation.masks import MaskRules
from matwright.generation.sampler import Temperatures, sample_sequences
from matwright.generation.wyckoff import Orbit, SymmetrySequence, space_group
from matwright.generation.wyckoff.decode import decode, decode_arrays, to_arrays
from matwright.materials.constraints import NO_CONSTRAINTS

CATALOGUE = wyckoff_catalogue()


@settings(max_examples=60)
@given(st.integers(16, 230), st.integers(0, 10_000))
def test_room_is_the_shortest_contact_of_the_crystal(group: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = space_group(group)
    fitting = [p for p in table.positions if p.n_atoms <= 8]
    if not fitting:
        return
    picked = fitting[int(rng.integers(len(fitting)))]
    free = tuple(float(x) for x in rng.uniform(0.05, 0.95, picked.dof))
    cell = tuple(8.0 for _ in table.lattice_parameters)
    sequence = SymmetrySequence(
        space_group=group, orbits=(Orbit(number=26, letter=picked.letter, free=free),), lattice=cell
    )
    crystal = decode(sequence)
    room = OccupiedCells(torch.tensor(crystal.lattice[None], dtype=torch.float32), CATALOGUE, 8)
    position = CATALOGUE.index[group, picked.index][None]
    coords = torch.tensor([[*free, *[0.0] * (3 - picked.dof)]])
    ratio = room.room(torch.tensor([0]), position, coords, covalent_radii((26,)))
    exact = contacts(decode_arrays(to_arrays([sequence])))
    if exact.distance[0] < 2.99:  # longer ones are not looked for
        assert abs(ratio.item() - exact.ratio[0]) < 1e-3


def test_placed_atoms_are_seen() -> None:
    room = OccupiedCells(torch.eye(3)[None] * 4.0, CATALOGUE, 8)
    general = CATALOGUE.index[1, 0][None]  # P1, position a
    radius = torch.tensor([1.0])
    first, second = torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([[0.25, 0.0, 0.0]])
    rows = torch.tensor([0])
    assert abs(room.room(rows, general, second, radius).item() - 2.0) < 1e-5  # its own image, 4 Å away
    room.place(rows, general, first, radius)
    assert abs(room.room(rows, general, second, radius).item() - 0.5) < 1e-5  # the placed atom, 1 Å away


def test_drawing_apart_gives_fewer_collisions(trained: TrainedGenerator) -> None:
    rules = MaskRules(trained.packer.vocabulary, trained.packer.catalogue, NO_CONSTRAINTS)
    shares = []
    for tries in (1, 8):
        room = Room(packer=trained.packer, rule=ClearanceRule(tries=tries))
        rollout = sample_sequences(
            trained.model.decoder,
            rules,
            300,
            temperatures=Temperatures(structure=2.0, coordinate=2.0),
            generator=torch.Generator().manual_seed(0),
            room=room,
        )
        batch = rollout.batch.select(rollout.complete.nonzero()[:, 0])
        sequences = [sequence for sequence in trained.packer.unpack(batch) if sequence is not None]
        shares.append((contacts(decode_arrays(to_arrays(sequences))).ratio >= 0.65).mean())
    assert shares[1] > shares[0]


def test_rejection_uses_the_rules_of_the_model(trained: TrainedGenerator) -> None:
    samples = LatentGenerator(trained).sample_sequences(30, seed=8)
    arrays = decode_arrays(to_arrays([sample.sequence for sample in samples]))
    assert contacts(arrays).pass_rules(trained.rules).all()
