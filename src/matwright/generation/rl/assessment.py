"""How often a policy's fresh draws hit: counted among valid, unique and novel crystals, before and after learning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from matwright.data.known import KnownMaterials
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.scoring import Scorer, archived
from matwright.generation.sampler import Latents
from matwright.materials.formula import formula_text
from matwright.rng import torch_generator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Counts of fresh draws.

    Attributes:
        drawn: sequences.
        valid: crystals that pass the contact rules and can be judged.
        unique: different buckets (formula, space group, letters) among them.
        novel: of those, not known with this formula and space group.
        hits: of those, the targets are met by the predicted values.
    """

    drawn: int
    valid: int
    unique: int
    novel: int
    hits: int

    @property
    def hit_rate(self) -> float:
        """Hits among valid, unique and novel crystals."""
        return self.hits / max(self.novel, 1)

    @property
    def uniqueness(self) -> float:
        """Unique among valid crystals."""
        return self.unique / max(self.valid, 1)

    @property
    def validity(self) -> float:
        """Valid crystals among sequences drawn."""
        return self.valid / self.drawn


def assess(
    policy: Policy, scorer: Scorer, n: int, seed: int, latents: Latents | None = None
) -> tuple[Assessment, Archive]:
    """Draw n sequences and count; the novel ones come back too, one a bucket, hits first.

    Raises:
        InputError: not one of them is a crystal that passes the contact rules.
    """
    rollout = policy.draw(n, torch_generator(seed, "rl", "assess"), latents)
    return counted(policy.trained, archived(scorer(rollout), rollout, step=0), n)


def counted(trained: TrainedGenerator, found: Archive, n: int) -> tuple[Assessment, Archive]:
    """The counts of valid crystals found among n sequences, and the novel ones, one a bucket, hits first."""
    unique = found.best(len(found))
    novel = unique.select(np.flatnonzero(~known(trained, unique)))
    counts = Assessment(
        drawn=n,
        valid=len(found),
        unique=len(unique),
        novel=len(novel),
        hits=int(novel.columns["hit"].sum()),
    )
    return counts, novel


def known(trained: TrainedGenerator, archive: Archive) -> np.ndarray:
    """(n,) bool: a crystal of this formula and space group is in the shipped library of known materials."""
    library, batch = KnownMaterials.load(), archive.batch
    symbols = trained.packer.vocabulary.elements
    rows = zip(batch.elements.tolist(), batch.counts.tolist(), batch.group.tolist(), strict=True)
    return np.array(
        [
            library.has_structure(
                formula_text({symbols[e]: c for e, c in zip(elements, counts, strict=True) if c}), group
            )
            for elements, counts, group in rows
        ],
        dtype=bool,
    )
