"""What a trained model learned from, compositions or structures, and what it therefore sees of a material."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self, final

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.graphs.builder import are_compositions
from matwright.materials.composition import Composition
from matwright.materials.material import Structure, amounts_of

LEARNED_FROM = "learned_from"
"""Name under which `model.json` says it, among the facts of the data."""


@final
class Learned(StrEnum):
    """What the materials of the training data were: bare compositions, structures, or some of each.

    A structure is a crystal, layer, molecule or microstructure. A model that learned from compositions alone sees of a
    structure only the composition; one that learned from structures alone refuses a bare composition, whose graph it
    never saw.
    """

    COMPOSITIONS = "compositions"
    STRUCTURES = "structures"
    BOTH = "compositions and structures"

    @classmethod
    def of_lattices(cls, lattices: NDArray[np.float64]) -> Self:
        """That of training graphs with lattices (n, 3, 3), n ≥ 1."""
        bare = are_compositions(lattices)
        return cls(cls.COMPOSITIONS if bare.all() else cls.BOTH if bare.any() else cls.STRUCTURES)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Any]) -> Self:
        """What the facts of `model.json` say; BOTH, with which nothing is changed or refused, where they say nothing.

        A file from before it was recorded says which columns were read, and one from before those were recorded is
        from a time when only structures could be learned.

        Raises:
            InputError: the facts say something else.
        """
        data, reading = facts.get("data"), facts.get("reading")
        if not isinstance(data, Mapping):
            return cls(cls.BOTH)
        if LEARNED_FROM in data:
            if data[LEARNED_FROM] not in list(cls):
                raise InputError(f"a model learned from {', from '.join(cls)}; this one's says {data[LEARNED_FROM]!r}")
            return cls(data[LEARNED_FROM])
        if not isinstance(reading, Mapping):
            return cls(cls.STRUCTURES)
        if reading.get("structure") is not None:
            return cls(cls.STRUCTURES if reading.get("formula") is None else cls.BOTH)
        bare = reading.get("formula") is not None or reading.get("percents") is not None
        return cls(cls.COMPOSITIONS if bare else cls.STRUCTURES)

    def reduces(self, structure: Structure) -> bool:
        """Whether only the composition of this structure counts."""
        return self is Learned.COMPOSITIONS and not isinstance(structure, Composition)

    def seen(self, structure: Structure) -> Structure:
        """What such a model sees of a structure: the structure itself, or its composition.

        Raises:
            InputError: it is a bare composition and the model learned from structures alone.
        """
        if self is Learned.STRUCTURES and isinstance(structure, Composition):
            raise InputError("the model learned from structures alone: give a structure instead of a bare composition")
        return Composition.from_amounts(amounts_of(structure)) if self.reduces(structure) else structure

    def check(self, lattices: NDArray[np.float64]) -> None:
        """Raise InputError where graphs with lattices (n, 3, 3) are of a kind that such a model never saw."""
        bare = are_compositions(lattices)
        if self is Learned.COMPOSITIONS and not bare.all():
            raise InputError("the model learned from compositions alone, and some of these graphs are of structures")
        if self is Learned.STRUCTURES and bare.any():
            raise InputError("the model learned from structures alone, and some of these graphs are of compositions")
