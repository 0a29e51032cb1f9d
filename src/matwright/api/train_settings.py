"""What decides the result of a training run, beside the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, final

from matwright.api.parts import SplitSettings
from matwright.errors import InputError
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec, nearest_hint
from matwright.models.config import FusionMode, GemPpmConfig, HeadConfig, HeadKind
from matwright.physics.elasticity import COMPONENT_NAMES, ELASTIC_UNITS
from matwright.rng import check_seed
from matwright.training.settings import TrainingProtocol
from matwright.units import parse_unit, same_dimension


@final
class Loss(StrEnum):
    """What a numeric target is learned by.

    MAE the absolute error of the mean, with a spread learned beside it that does not touch the mean; GAUSSIAN mean
    and spread together by their likelihood.
    """

    MAE = "mae"
    GAUSSIAN = "gaussian"


HEAD_OF_LOSS: Mapping[Loss, HeadKind] = {Loss.MAE: HeadKind.DECOUPLED, Loss.GAUSSIAN: HeadKind.GAUSSIAN}


def loss_named(word: str) -> Loss:
    """Return the loss of that name.

    Raises:
        InputError: there is none.
    """
    if word not in [loss.value for loss in Loss]:
        raise InputError(f"a loss is one of {', '.join(loss.value for loss in Loss)}, found {word!r}")
    return Loss(word)


def fusion_named(word: str) -> FusionMode:
    """Return the way of fusion of that name.

    Raises:
        InputError: there is none.
    """
    if word not in [mode.value for mode in FusionMode]:
        raise InputError(f"fusion is one of {', '.join(mode.value for mode in FusionMode)}, found {word!r}")
    return FusionMode(word)


def residuals_named(texts: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Return (name, weight) of "name=weight" for each.

    Raises:
        InputError: a text is not of this form, or there is no such residual.
    """
    from matwright.models.residuals import RESIDUAL_NAMES  # heavy (torch): behind its door

    found = []
    for text in texts:
        name, equals, weight = (part.strip() for part in text.partition("="))
        if name not in RESIDUAL_NAMES:
            hint = nearest_hint(name, RESIDUAL_NAMES)
            raise InputError(f"there is no physics residual {name!r}{hint}; there are: {', '.join(RESIDUAL_NAMES)}")
        try:
            found.append((name, float(weight if equals else "nan")))
        except ValueError:
            raise InputError(f"the weight of a residual is a number, found {text!r}") from None
        if not 0 <= found[-1][1] < math.inf:
            raise InputError(f"a residual is written name=weight with a weight of at least 0, found {text!r}")
    return tuple(found)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """What decides the result of a training run, beside the data.

    Attributes:
        specs: the targets, by column.
        split: how the data are divided.
        protocol: name of the training protocol, for the card.
        how: the protocol itself, with its budget.
        members: models in the ensemble, at least 1.
        loss: of numeric targets.
        conditions: what the values of the source depend on; the schema that it was opened with.
        fusion: how structure and conditions become one state; None for that of the network.
        arrhenius: names of targets (logarithms) that follow Arrhenius' law by construction; the temperature is the
            condition "temperature", else the only one that is a temperature.
        residuals: (name, weight) of physics residuals in the loss; see `models.residuals`.
        forest: trees in the forest beside the ensemble (`models.blend`), 0 for none.
        network: sizes and choices of the network; its heads and conditions are replaced by those of the data. None for
            the default sizes, with the composition as a second view where there are compositions, and bond orders where
            there are bonds.
        sizes: fields of the network in the place of its own: width, layers, pooling, joint, memory, reconstruction.
        start: name or folder of a trained model whose weights and network every member starts from; None for weights
            at random.
        seed: of the whole run.
        device: "cpu", "cuda" or "auto".
    """

    specs: tuple[PropertySpec, ...]
    split: SplitSettings
    protocol: str
    how: TrainingProtocol
    members: int = 1
    loss: Loss = Loss.MAE
    conditions: ConditionSchema | None = None
    fusion: FusionMode | None = None
    arrhenius: tuple[str, ...] = ()
    residuals: tuple[tuple[str, float], ...] = ()
    forest: int = 0
    network: GemPpmConfig | None = None
    sizes: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_seed(self.seed)
        if not self.specs:
            raise InputError("nothing to learn: name at least one target, for instance band_gap:eV")
        if self.members < 1:
            raise InputError(f"an ensemble has at least 1 member, found {self.members}")
        if self.forest < 0:
            raise InputError(f"a forest has at least 1 tree (0 for no forest), found {self.forest}")
        names = [spec.name for spec in self.specs]
        if wrong := next((name for name in self.arrhenius if name not in names), None):
            raise InputError(f"there is no target {wrong!r} for Arrhenius' law{nearest_hint(wrong, names)}")
        if self.arrhenius and set(self.arrhenius) != set(names):
            raise InputError(
                "the temperature of Arrhenius' law reaches a model by that law alone: train other targets by themselves"
            )

    @property
    def config(self) -> GemPpmConfig:
        """The network of every member, as far as it does not depend on the data."""
        heads = tuple(self._head(spec) for spec in self.specs)
        base = GemPpmConfig(heads=heads, conditions=self.conditions) if self.network is None else self.network
        base = replace(base, heads=heads, conditions=self.conditions, fusion=self.fusion or base.fusion)
        base = replace(base, residuals=self.residuals or base.residuals)
        base = replace(base, **self.sizes)
        return base if self.how.dropout is None else replace(base, dropout=self.how.dropout)

    def _head(self, spec: PropertySpec) -> HeadConfig:
        if spec.name in self.arrhenius:
            if not parse_unit(spec.unit).logarithmic:
                raise InputError(f"Arrhenius' law is for a logarithm; learn {spec.name} as one with --log {spec.name}")
            return HeadConfig(name=spec.name, kind=HeadKind.ARRHENIUS, temperature=self._temperature)
        if spec.classes:
            return HeadConfig(name=spec.name, kind=HeadKind.CLASS, n_classes=len(spec.classes))
        if spec.name in ELASTIC_UNITS and any(other.name in COMPONENT_NAMES for other in self.specs):
            if spec.unit != ELASTIC_UNITS[spec.name]:
                raise InputError(f"beside an elastic tensor {spec.name} is learned in {ELASTIC_UNITS[spec.name]}")
            return HeadConfig(name=spec.name, kind=HeadKind.ELASTIC)
        return HeadConfig(name=spec.name, kind=HEAD_OF_LOSS[self.loss])

    @property
    def _temperature(self) -> str:
        columns = () if self.conditions is None else self.conditions.columns
        found = [column.name for column in columns if column.unit is not None and same_dimension(column.unit, "K")]
        if "temperature" in found or len(found) == 1:
            return "temperature" if "temperature" in found else found[0]
        raise InputError("Arrhenius' law needs one condition that is a temperature; name it 'temperature'")
