"""Integrated gradients and saliency of a prediction, part by part of the material.

Along the straight path x(t) = x' + t (x - x') from the reference x' to the material x,

    a_i = (x_i - x'_i) ∫₀¹ ∂f/∂x_i (x(t)) dt,   Σ_i a_i = f(x) - f(x')

(M. Sundararajan, A. Taly, Q. Yan, ICML 2017). The x_i are what enters the network through the channels of a `Probe`:
embeddings of the atoms, weights of the neighbours, statistics of the composition, encoded conditions. The integral is a
Gauss-Legendre sum with as many points as the sum of the a_i needs to be complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.explain.attention import slot_attention
from matwright.explain.bonds import Bonds, bonds_of
from matwright.explain.contributions import Contributions, statistic_names
from matwright.explain.probe import Channel, Probe, probed_specs
from matwright.explain.subject import Subject
from matwright.materials.properties import PropertySpec
from matwright.models.scaled import ScaledModel

TOLERANCE = 0.01
"""Completeness error up to which an attribution counts as complete."""
FIRST_STEPS, MOST_STEPS = 32, 2048
_ATOMS_AT_ONCE = 4096  # bounds the memory of one evaluation along the path


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """What one prediction rests on, the mean over the members of the ensemble.

    Attributes:
        spec: the property, or one class of it.
        reference: the model's value of the reference, in the unit of `spec`.
        value: the model's value of the material before it is cut at physical bounds, in the unit of `spec`.
        contributions: of the parts, in the unit of `spec`.
        saliency: of the parts, without sign: length of the gradient by what enters (a bond: gradient times weight).
        steps: points on the path that were needed.
    """

    spec: PropertySpec
    reference: float
    value: float
    contributions: Contributions
    saliency: Contributions
    steps: int

    @property
    def completeness_error(self) -> float:
        """|Σ contributions - (value - reference)| / |value - reference|, no unit."""
        difference = self.value - self.reference
        missing = abs(self.contributions.total - difference)
        return missing / abs(difference) if difference else float(missing > 0)

    @property
    def complete(self) -> bool:
        """Whether the completeness error is within `TOLERANCE`."""
        return self.completeness_error <= TOLERANCE


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explained:
    """The attributions of one material and what its parts are.

    Attributes:
        bonds: the pairs of neighbours.
        statistics: names of `Contributions.statistics`.
        attributions: one a property.
        attention_atoms: (n_atoms,) attention that each atom gets from its neighbours, no unit.
        attention_bonds: (n_bonds,) sum of the attention of both ends, no unit.
    """

    bonds: Bonds
    statistics: tuple[str, ...]
    attributions: tuple[Attribution, ...]
    attention_atoms: NDArray[np.float64]
    attention_bonds: NDArray[np.float64]


def explain_subject(
    members: Sequence[ScaledModel], subject: Subject, elements: Sequence[int], properties: Sequence[str] | None = None
) -> Explained:
    """Return what the predictions for one material rest on.

    Args:
        members: of the ensemble, made by `for_probing`.
        subject: the material.
        elements: atomic numbers of the training data.
        properties: names of `probed_specs`; None for all.

    Raises:
        InputError: a law of temperature is asked for without a temperature.
    """
    batch = subject.batch()
    bonds = bonds_of(subject.graph, batch)
    attention = np.mean([slot_attention(member, batch) for member in members], axis=0)
    received = np.zeros(len(subject.graph))
    np.add.at(received, batch.neighbours.reshape(-1).numpy(), attention)
    probes = [Probe(member, subject, elements) for member in members]
    attributions = tuple(
        _attribution(probes, bonds, column, spec)
        for column, spec in enumerate(probed_specs(members[0]))
        if properties is None or spec.name in properties
    )
    return Explained(
        bonds=bonds,
        statistics=statistic_names(members[0].network),
        attributions=attributions,
        attention_atoms=received,
        attention_bonds=bonds.gathered(attention),
    )


def _attribution(probes: Sequence[Probe], bonds: Bonds, column: int, spec: PropertySpec) -> Attribution:
    """Double the points on the path until the contributions add up."""
    value, reference = _mean_value(probes, column), _mean_value(probes, column, reference=True)
    if np.isnan(value):
        raise InputError(f"{spec.name} follows a law of temperature; state the temperature")
    saliency = Contributions.mean([_saliency(probe, bonds, column) for probe in probes])
    steps = FIRST_STEPS
    while True:
        found = Attribution(
            spec=spec,
            reference=reference,
            value=value,
            contributions=Contributions.mean([_integrated(probe, bonds, column, steps) for probe in probes]),
            saliency=saliency,
            steps=steps,
        )
        if found.complete or steps >= MOST_STEPS:
            return found
        steps *= 2


@torch.no_grad()
def _mean_value(probes: Sequence[Probe], column: int, *, reference: bool = False) -> float:
    values = [probe(*(probe.reference if reference else probe.inputs))[0, column].item() for probe in probes]
    return float(np.mean(values))


def _integrated(probe: Probe, bonds: Bonds, column: int, steps: int) -> Contributions:
    from captum.attr import IntegratedGradients  # an optional library: behind its door

    found = IntegratedGradients(probe).attribute(
        probe.inputs,
        baselines=probe.reference,
        target=column,
        n_steps=steps,
        method="gausslegendre",
        internal_batch_size=max(1, _ATOMS_AT_ONCE // len(probe.subject.graph)),
    )
    return Contributions.gathered(dict(zip(probe.channels, found, strict=True)), probe.model.network, bonds)


def _saliency(probe: Probe, bonds: Bonds, column: int) -> Contributions:
    from captum.attr import Saliency  # an optional library: behind its door

    inputs = tuple(tensor.clone().requires_grad_() for tensor in probe.inputs)
    gradients = dict(zip(probe.channels, Saliency(probe).attribute(inputs, target=column, abs=False), strict=True))
    weights = probe.inputs[probe.channels.index(Channel.WEIGHTS)]
    gradients[Channel.WEIGHTS] = gradients[Channel.WEIGHTS] * weights
    return Contributions.gathered(gradients, probe.model.network, bonds, power=2)
