"""The learned generator: latents, sequences from the decoder, crystals from the sequences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from matwright.errors import InputError
from matwright.generation.aims import Aim
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.clearance import ClearanceRule
from matwright.generation.contacts import contacts
from matwright.generation.coordinates import Room
from matwright.generation.interface import Candidate, Provenance
from matwright.generation.masks import MaskRules
from matwright.generation.sampler import Latents, Temperatures, sample_sequences
from matwright.generation.wyckoff import SymmetrySequence
from matwright.generation.wyckoff.decode import decode_arrays, to_arrays
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.crystal import Crystal
from matwright.rng import check_seed, torch_generator

CHUNKS = (128, 1152)
"""Sequences drawn together, first and later: few are ready soon, many are drawn fast. Every chunk has its own random
stream, so the first n candidates do not depend on n."""
PATIENCE = 12
"""Chunks in a row without an acceptable crystal after which the constraints count as out of reach."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One accepted crystal with the sequence it was decoded from."""

    crystal: Crystal
    sequence: SymmetrySequence


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingTally:
    """What became of the draws: `drawn` = `incomplete` + `colliding` + `accepted`.

    Attributes:
        drawn: sequences drawn.
        incomplete: the masks left no choice before all atoms were placed, or the angles closed no cell.
        colliding: decoded, but refused by the contact rules.
        accepted: handed out (or held back because enough were found).
    """

    drawn: int = 0
    incomplete: int = 0
    colliding: int = 0
    accepted: int = 0

    def __add__(self, other: SamplingTally) -> SamplingTally:
        return SamplingTally(
            drawn=self.drawn + other.drawn,
            incomplete=self.incomplete + other.incomplete,
            colliding=self.colliding + other.colliding,
            accepted=self.accepted + other.accepted,
        )


@final
class LatentGenerator:
    """`Generator` of crystals from a trained sequence autoencoder (E24–E25)."""

    def __init__(self, trained: TrainedGenerator, *, temperatures: Temperatures | None = None) -> None:
        self._trained = trained
        self._temperatures = temperatures or trained.temperatures
        self._room = Room(packer=trained.packer, rule=ClearanceRule())
        self._tally = SamplingTally()

    @property
    def name(self) -> str:
        """The name that stands in provenance and reports."""
        return self._trained.name

    @property
    def trained(self) -> TrainedGenerator:
        """The model and its scaling."""
        return self._trained

    @property
    def tally(self) -> SamplingTally:
        """What became of the draws of the last call."""
        return self._tally

    def sample(self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0) -> list[Candidate]:
        """N candidates that satisfy the constraints exactly and pass the contact rules.

        Raises:
            InputError: n is negative, the constraints contradict each other or what the generator has learned, or
                no acceptable crystal turned up in thousands of draws.
        """
        samples = self.sample_sequences(n, constraints=constraints, seed=seed)
        return [
            Candidate(
                crystal=sample.crystal, provenance=Provenance(generator=self.name, seed=check_seed(seed), index=index)
            )
            for index, sample in enumerate(samples)
        ]

    def sample_sequences(
        self, n: int, *, constraints: Constraints = NO_CONSTRAINTS, seed: int = 0, aim: Aim | None = None
    ) -> list[Sample]:
        """As `sample`, with the symmetry-true sequences beside the crystals.

        Args:
            n, constraints, seed: as in `sample`.
            aim: region of latent space to sample from; None: free samples (see `SequenceDecoder.free_latents`).

        Raises:
            InputError: as `sample`, or the aim's material is none that the generator could write.
        """
        if n < 0:
            raise InputError(f"the number of crystals cannot be negative, found {n}")
        packer = self._trained.packer
        rules = MaskRules(packer.vocabulary, packer.catalogue, constraints)
        check_seed(seed)
        latents = None if aim is None else aim.latents(self._trained)
        found: list[Sample] = []
        tally, chunk, idle = SamplingTally(), 0, 0
        while len(found) < n:
            accepted, counts = self._chunk(rules, seed, chunk, latents)
            found += accepted
            tally, chunk = tally + counts, chunk + 1
            idle = 0 if accepted else idle + 1
            if idle == PATIENCE:
                raise InputError(
                    f"no acceptable crystal in {tally.drawn} draws under these constraints; "
                    "allow more elements, atoms or space groups"
                )
        self._tally = tally
        return found[:n]

    def _chunk(
        self, rules: MaskRules, seed: int, chunk: int, latents: Latents | None
    ) -> tuple[list[Sample], SamplingTally]:
        """Draw and judge one chunk."""
        size = CHUNKS[min(chunk, len(CHUNKS) - 1)]
        rollout = sample_sequences(
            self._trained.model.decoder,
            rules,
            size,
            temperatures=self._temperatures,
            generator=torch_generator(seed, "latent-generator", chunk),
            room=self._room,
            latents=latents,
        )
        complete = rollout.complete.nonzero()[:, 0]
        sequences = [s for s in self._trained.packer.unpack(rollout.batch.select(complete)) if s is not None]
        if not sequences:
            return [], SamplingTally(drawn=size, incomplete=size)
        arrays = decode_arrays(to_arrays(sequences))
        good = np.flatnonzero(contacts(arrays).pass_rules(self._trained.rules))
        crystals = arrays.crystals()
        samples = [Sample(crystal=crystals[i], sequence=sequences[i]) for i in good]
        tally = SamplingTally(
            drawn=size,
            incomplete=size - len(sequences),
            colliding=len(sequences) - len(good),
            accepted=len(good),
        )
        return samples, tally
