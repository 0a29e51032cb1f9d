"""What a GEM-PPM is made of: one small typed class, saved with every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, final

from matwright.errors import InputError
from matwright.graphs.settings import GraphSettings
from matwright.materials.conditions import ConditionSchema
from matwright.physics.elasticity import check_elastic


@final
class HeadKind(StrEnum):
    """What a head gives for one target, and with it the loss.

    POINT a value, learned by the mean absolute error; GAUSSIAN mean and spread, learned together by the Gaussian
    likelihood; DECOUPLED the mean by the absolute error and the spread by the Gaussian likelihood around that mean,
    which is held fixed there, so that the spread never costs accuracy; CLASS logits, learned by cross-entropy;
    ARRHENIUS as DECOUPLED, for log10 of a quantity that rises with temperature with a positive activation energy by
    construction; ELASTIC a component or an average of one elastic tensor that all elastic heads share
    (`models.elastic`), by its name.
    """

    POINT = "point"
    GAUSSIAN = "gaussian"
    DECOUPLED = "decoupled"
    CLASS = "class"
    ARRHENIUS = "arrhenius"
    ELASTIC = "elastic"


@final
class FusionMode(StrEnum):
    """How structure and conditions become one state (E14-E18); NONE ignores the conditions."""

    NONE = "none"
    CONCAT = "concat"
    GATED = "gated"
    BILINEAR = "bilinear"
    UNIFIED = "unified"


@final
class Pooling(StrEnum):
    """How node states become one state of the material (E11); SUM is for extensive properties.

    ATTENTION is a mean with learned weights, softmax over the nodes of a material.
    """

    MEAN = "mean"
    MEAN_MAX = "mean+max"
    ATTENTION = "attention"
    SUM = "sum"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """One target.

    Attributes:
        name: of the property.
        kind: what the head gives.
        n_classes: number of classes of a CLASS head, at least 2; 0 otherwise.
        temperature: name of the condition that holds the temperature of an ARRHENIUS head, "" otherwise.
    """

    name: str
    kind: HeadKind = HeadKind.DECOUPLED
    n_classes: int = 0
    temperature: str = ""

    def __post_init__(self) -> None:
        if (self.kind is HeadKind.ARRHENIUS) != bool(self.temperature):
            raise InputError(f"head {self.name}: an Arrhenius head names its temperature condition, no other does")
        if (self.kind is HeadKind.CLASS) != (self.n_classes >= 2):
            raise InputError(f"head {self.name}: a class head has at least 2 classes and the others 0")

    @property
    def n_outputs(self) -> int:
        """Numbers the head gives for one material."""
        return {HeadKind.POINT: 1, HeadKind.CLASS: self.n_classes, HeadKind.ARRHENIUS: 3}.get(self.kind, 2)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class GemPpmConfig:
    """Sizes and choices of the model; the defaults are those of the shipped models.

    Attributes:
        heads: the targets, in the order of the columns of `GraphBatch.targets`.
        width: features of a node, at least 1.
        layers: message-passing layers, at least 1.
        radial_functions: Gaussians that resolve the distance.
        angular_order: highest angular moment of the neighbourhood (0 distances alone, 1 vectors, 2 quadrupoles).
        dropout: share of node features dropped after each layer, in [0, 1).
        pooling: of node states.
        joint: whether the readout also sees the sum of each node's edges (E12).
        graph: the neighbour rule the model was built for.
        conditions: what the model is told beside the structure, None for nothing.
        fusion: how structure and conditions become one state.
        composition: whether the composition also enters by itself, as fractions and statistics of its elements, and
            the elements of a composition know their own fraction.
        bonds: whether bond orders enter the messages.
        memory: whether the states after all layers are weighed before the readout (F2).
        reconstruction: weight of the autoencoder loss on distances (E13), 0 for none.
        residuals: (name, weight λ) of each physics residual in the loss (E19); see `models.residuals`.
    """

    heads: tuple[HeadConfig, ...]
    width: int = 64
    layers: int = 3
    radial_functions: int = 32
    angular_order: int = 1
    dropout: float = 0.0
    pooling: Pooling = Pooling.MEAN
    joint: bool = False
    graph: GraphSettings = field(default_factory=GraphSettings)
    conditions: ConditionSchema | None = None
    fusion: FusionMode = FusionMode.UNIFIED
    composition: bool = False
    bonds: bool = False
    memory: bool = False
    reconstruction: float = 0.0
    residuals: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if not self.heads:
            raise InputError("a property model needs at least one target")
        if len({head.name for head in self.heads}) < len(self.heads):
            raise InputError(f"each target has one head, found {[head.name for head in self.heads]}")
        if self.layers < 1 or self.width < 1 or self.radial_functions < 2:
            raise InputError("layers and width are at least 1, radial_functions at least 2")
        if self.angular_order not in (0, 1, 2):
            raise InputError(f"angular_order is 0, 1 or 2, found {self.angular_order}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"dropout lies in [0, 1), found {self.dropout}")
        if self.reconstruction < 0 or any(weight < 0 for _, weight in self.residuals):
            raise InputError("the weights of the autoencoder loss and of the physics residuals are at least 0")
        if self.pooling is Pooling.SUM and (self.composition or self.fuses):
            raise InputError("sum pooling keeps a property extensive and cannot be joined with conditions")
        check_elastic(tuple(head.name for head in self.heads if head.kind is HeadKind.ELASTIC))
        names = () if self.conditions is None else tuple(column.name for column in self.conditions.columns)
        for head in self.heads:
            if head.temperature and head.temperature not in names:
                raise InputError(f"head {head.name}: there is no condition {head.temperature!r}")

    @property
    def fuses(self) -> bool:
        """Whether conditions reach the state of a material."""
        if self.conditions is None or self.fusion is FusionMode.NONE:
            return False
        return self.conditions.steps is not None or len(self.conditions.columns) > len(self.law_columns)

    @property
    def law_columns(self) -> frozenset[int]:
        """Places of the temperatures of Arrhenius heads; they act by the law alone, so that its slope is a constant."""
        laws = {head.temperature for head in self.heads if head.temperature}
        columns = () if self.conditions is None else self.conditions.columns
        return frozenset(place for place, column in enumerate(columns) if column.name in laws)

    @property
    def elastic(self) -> bool:
        """Whether some heads share an elastic tensor."""
        return any(head.kind is HeadKind.ELASTIC for head in self.heads)

    @property
    def n_outputs(self) -> int:
        """Numbers that all heads give together for one material."""
        return sum(head.n_outputs for head in self.heads)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        conditions = None if self.conditions is None else self.conditions.as_dict()
        return {**asdict(self), "graph": self.graph.as_dict(), "conditions": conditions}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> GemPpmConfig:
        """The config written by `as_dict`.

        Raises:
            InputError: a name is unknown, or a value is not allowed.
        """
        known = {entry.name for entry in fields(cls)}
        if unknown := set(values) - known:
            raise InputError(f"unknown model settings {sorted(unknown)}; the known ones are {sorted(known)}")
        given = dict(values)
        try:
            given["heads"] = tuple(HeadConfig(**{**head, "kind": HeadKind(head["kind"])}) for head in given["heads"])
            given["pooling"] = Pooling(given.get("pooling", Pooling.MEAN))
            given["graph"] = GraphSettings.from_dict(given.get("graph", {}))
            given["fusion"] = FusionMode(given.get("fusion", FusionMode.UNIFIED))
            given["residuals"] = tuple((str(name), float(weight)) for name, weight in given.get("residuals", ()))
            if given.get("conditions") is not None:
                given["conditions"] = ConditionSchema.from_dict(given["conditions"])
            return cls(**given)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"the model settings cannot be read: {error}") from error
