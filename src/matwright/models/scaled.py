"""The scaler as a wrapper: the network inside sees standardised targets, everybody outside sees units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch
from matwright.graphs.interface import GraphSource
from matwright.materials.properties import PropertySpec
from matwright.models.config import HeadConfig, HeadKind
from matwright.models.elastic import SCALES as ELASTIC_SCALES
from matwright.models.gem_ppm import GemPpm
from matwright.models.heads import class_probabilities, mean_and_spread
from matwright.models.interface import BatchPrediction, Prediction, bare_prediction
from matwright.models.residuals import PhysicsResiduals
from matwright.models.temperature import activation_energy

MIN_LABELS = 2
ACTIVATION_ENERGY = PropertySpec(name="activation_energy", unit="eV", lower=0.0)
"""What an Arrhenius head also gives: E_a of log10 σ = log10 σ_0 - E_a / (k_B T ln 10)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TargetScale:
    """Centre and scale of each target over the training part; 0 and 1 for a class.

    Attributes:
        centre, scale: (n_targets,) float64, in the unit of each target (an atom for an extensive one).
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(
        cls, targets: NDArray[np.float64], atom_counts: NDArray[np.int64], specs: Sequence[PropertySpec]
    ) -> TargetScale:
        """Measure mean and standard deviation of the known labels of the training part alone.

        Args:
            targets: (n_crystals, n_targets), NaN where missing.
            atom_counts: (n_crystals,), by which extensive targets are divided.
            specs: one a column.

        Raises:
            InputError: a target has fewer than two known values, or only one value.
        """
        centre, scale = np.zeros(len(specs)), np.ones(len(specs))
        for column, spec in enumerate(specs):
            values = targets[:, column] if spec.intensive or spec.classes else targets[:, column] / atom_counts
            values = values[~np.isnan(values)]
            if len(values) < MIN_LABELS:
                raise InputError(
                    f"{spec.name} has {len(values)} known values in the training part; at least {MIN_LABELS} are needed"
                )
            if np.ptp(values) == 0:
                raise InputError(f"{spec.name} has the same value everywhere in the training part: nothing to learn")
            if not spec.classes:
                centre[column], scale[column] = values.mean(), values.std()
        return cls(centre=centre, scale=scale)


@final
class ScaledModel(nn.Module):
    """A network with the scale of its targets: trainable on targets in their units, and a property model.

    An extensive target is learned per atom and multiplied by the number of atoms again, so that it scales with the
    cell exactly. Means are cut at the physical bounds of their property.

    Raises:
        InputError: properties, heads and scale do not belong together.
    """

    def __init__(self, network: GemPpm, specs: Sequence[PropertySpec], scale: TargetScale) -> None:
        super().__init__()
        heads = network.config.heads
        if [head.name for head in heads] != [spec.name for spec in specs]:
            raise InputError(f"the heads {[h.name for h in heads]} are not those of {[s.name for s in specs]}")
        if any(head.n_classes != len(spec.classes) for head, spec in zip(heads, specs, strict=True)):
            raise InputError("a class head has one output for each class of its property")
        if scale.centre.shape != (len(specs),) or scale.scale.shape != (len(specs),):
            raise InputError(f"the scale needs one centre and one scale for each of {len(specs)} targets")
        self.network = network
        weights = dict(network.config.residuals)
        self.residuals = PhysicsResiduals(weights, specs, network.config.conditions) if weights else None
        self._specs = tuple(specs)
        extensive = [not spec.intensive and not spec.classes for spec in specs]
        self.register_buffer("extensive", torch.tensor(extensive), persistent=False)
        scale = _with_elastic(scale, heads)
        self.register_buffer("centre", torch.tensor(scale.centre, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale.scale, dtype=torch.float32))
        self.extensive: Tensor
        self.centre: Tensor
        self.scale: Tensor

    @property
    def specs(self) -> tuple[PropertySpec, ...]:
        """The properties, in the order of the target columns."""
        return self._specs

    def loss(self, batch: GraphBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the network's loss and its terms on standardised targets (no unit): L_data + λ Σ ‖c_i‖² (E19)."""
        targets = batch.targets / torch.where(self.extensive, batch.counts[:, None], 1)
        standard = replace(batch, targets=(targets - self.centre) / self.scale)
        if self.residuals is None:
            return self.network.loss(standard)
        loss, terms, means = self.network.loss_and_means(standard)
        physics, more = self.residuals(means * self.scale + self.centre, self.scale, batch)
        return loss + physics, terms | more

    def measure(self, source: GraphSource, indices: NDArray[np.int64]) -> None:
        """Standardise the inputs by the records at `indices`, which must be of the training part alone."""
        self.network.measure(source, indices)

    @torch.no_grad()
    def predict(self, batch: GraphBatch) -> BatchPrediction:
        """Predict in units; the aleatoric part comes from the variance head where there is one."""
        if batch.targets.device != self.centre.device:
            batch = batch.to(self.centre.device)
        with _eval_mode(self):
            nodes = self.network.encoder(batch)
            state = self.network.state(nodes, batch)
            outputs = self.network.outputs(state, nodes, batch)
        properties: dict[str, Prediction] = {}
        counts = batch.counts.double()
        for column, part in enumerate(self.network.heads.split(outputs)):
            spec, head = self._specs[column], self.network.config.heads[column]
            if spec.classes:
                properties |= _class_predictions(spec, part)
            else:
                size = counts if not spec.intensive else torch.ones_like(counts)
                properties[spec.name] = self._numeric(spec, head, column, part, size)
            if head.kind is HeadKind.ARRHENIUS:
                energy = activation_energy(part[:, 2].double(), self.scale[column].double()).cpu().numpy()
                properties[ACTIVATION_ENERGY.name] = bare_prediction(ACTIVATION_ENERGY, energy)
        return BatchPrediction(properties=properties, embedding=state.float().cpu().numpy())

    def _numeric(self, spec: PropertySpec, head: HeadConfig, column: int, part: Tensor, size: Tensor) -> Prediction:
        mean, spread = mean_and_spread(head.kind, part)
        centre, scale = self.centre[column].double(), self.scale[column].double()
        values = (mean.double() * scale + centre) * size
        if spec.lower is not None or spec.upper is not None:
            values = values.clamp(spec.lower, spec.upper)
        return bare_prediction(spec, values.cpu().numpy(), (spread.double() * scale * size).cpu().numpy())


def _with_elastic(scale: TargetScale, heads: Sequence[HeadConfig]) -> TargetScale:
    """The scale with the fixed one of the elastic heads, whose outputs are physical by themselves."""
    centre, scales = scale.centre.copy(), scale.scale.copy()
    for column, head in enumerate(heads):
        if head.kind is HeadKind.ELASTIC:
            centre[column], scales[column] = 0.0, ELASTIC_SCALES[head.name]
    return TargetScale(centre=centre, scale=scales)


def class_spec(spec: PropertySpec, label: str) -> PropertySpec:
    """Return the property "probability that the class is `label`"."""
    return PropertySpec(name=f"{spec.name}={label}", unit="1", lower=0.0, upper=1.0)


def _class_predictions(spec: PropertySpec, part: Tensor) -> dict[str, Prediction]:
    shares = class_probabilities(part.double()).cpu().numpy()  # (n_crystals, n_classes)
    predictions = {}
    for index, label in enumerate(spec.classes):
        named, share = class_spec(spec, label), shares[:, index]
        predictions[named.name] = bare_prediction(named, share, np.sqrt(share * (1 - share)))
    return predictions


@contextmanager
def _eval_mode(model: nn.Module) -> Iterator[None]:
    was_training = model.training
    if was_training:
        model.eval()
    try:
        yield
    finally:
        if was_training:
            model.train()
