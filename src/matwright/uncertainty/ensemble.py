"""The ensemble: several models that differ by their seed; where they disagree they do not know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, final

import numpy as np

from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.models.interface import BatchPrediction, Prediction, PropertyModel

if TYPE_CHECKING:
    from matwright.graphs.batch import GraphBatch


@final
class EnsembleModel:
    """The mean of its members; epistemic = standard deviation of their means, aleatoric = root mean square of theirs.

    One member is allowed and gives that member's prediction. The embedding is the first member's.

    Raises:
        InputError: there is no member, or the members predict different properties.
    """

    def __init__(self, members: Sequence[PropertyModel]) -> None:
        if not members:
            raise InputError("an ensemble needs at least one member")
        if any(member.specs != members[0].specs for member in members):
            raise InputError("the members of an ensemble must predict the same properties in the same units")
        self._members = tuple(members)

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties of every member."""
        return self._members[0].specs

    def __len__(self) -> int:
        return len(self._members)

    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict with every member and combine."""
        parts = [member.predict(batch) for member in self._members]
        if len(parts) == 1:
            return parts[0]
        names = parts[0].properties
        properties = {name: _combine([part.properties[name] for part in parts]) for name in names}
        return BatchPrediction(properties=properties, embedding=parts[0].embedding)


def _combine(members: Sequence[Prediction]) -> Prediction:
    means = np.stack([member.mean for member in members])  # (n_members, n)
    variances = np.stack([member.epistemic**2 + member.aleatoric**2 for member in members])
    return replace(members[0], mean=means.mean(0), epistemic=means.std(0, ddof=1), aleatoric=np.sqrt(variances.mean(0)))
