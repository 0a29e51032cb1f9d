"""The settings that a search may choose, as a small file: what `matwright tune` writes and `matwright train` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, final

from matwright.api.train_settings import TrainSettings
from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.models.config import Pooling
from matwright.serialization import read_json, read_toml
from matwright.training.settings import FitSettings

Chosen = TypeVar("Chosen")
WHOLE = ("width", "layers", "batch_size")
YES_OR_NO = ("joint", "memory")
NETWORK = ("width", "layers", "pooling", "joint", "memory", "reconstruction")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HyperParameters:
    """Sizes of the network and settings of the fit; None leaves what the protocol says.

    Attributes:
        learning_rate: peak step size, above 0 (no unit).
        width: features of a node, at least 1.
        layers: message-passing layers, at least 1.
        dropout: share of features dropped, in [0, 1).
        batch_size: records a step, at least 1.
        weight_decay: at least 0.
        pooling: of the atoms into one state: "mean", "mean+max", "attention" or "sum" (E11).
        joint: whether the readout also sees the sum of each atom's edges (E12).
        memory: whether the states after all layers are weighed before the readout (F2).
        reconstruction: weight of the autoencoder loss on distances (E13), at least 0.
    """

    learning_rate: float | None = None
    width: int | None = None
    layers: int | None = None
    dropout: float | None = None
    batch_size: int | None = None
    weight_decay: float | None = None
    pooling: str | None = None
    joint: bool | None = None
    memory: bool | None = None
    reconstruction: float | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> HyperParameters:
        """The settings of these names.

        Raises:
            InputError: a name is unknown (the message lists the known ones), or a value is not a number.
        """
        known = [field.name for field in fields(cls)]
        for name, value in values.items():
            if name not in known:
                raise InputError(
                    f"there is no setting {name!r}{nearest_hint(name, known)}; there are: {', '.join(known)}"
                )
            _check_kind(name, value)
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> HyperParameters:
        """The settings in a TOML or JSON file.

        Raises:
            InputError: the file cannot be read (see `read_toml`), or as for `of`.
        """
        values = read_json(path) if path.suffix.lower() == ".json" else read_toml(path)
        if not isinstance(values, dict):
            raise InputError(f"{path} holds no settings by name")
        return cls.of(values)

    def given(self) -> dict[str, float | int | str]:
        """The settings that are not None, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def as_toml(self) -> str:
        """The settings as lines of TOML."""
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.given().items())

    def apply(self, settings: TrainSettings) -> TrainSettings:
        """The settings of a training run with these in the place of its own.

        Raises:
            InputError: a value is not allowed.
        """
        fit = self.of_fit(settings.how.settings)
        how = replace(settings.how, settings=fit, dropout=_chosen(self.dropout, settings.how.dropout))
        return replace(settings, how=how, sizes={**settings.sizes, **self.of_network()})

    def of_network(self) -> dict[str, Any]:
        """The settings of the network that are not None, by the names of `GemPpmConfig`."""
        chosen = {name: value for name, value in self.given().items() if name in NETWORK}
        if self.pooling is not None:
            chosen["pooling"] = Pooling(self.pooling)
        return chosen

    def of_fit(self, fit: FitSettings) -> FitSettings:
        """The settings of a fit with these in the place of its own.

        Raises:
            InputError: a value is not allowed.
        """
        return replace(
            fit,
            learning_rate=_chosen(self.learning_rate, fit.learning_rate),
            batch_size=_chosen(self.batch_size, fit.batch_size),
            weight_decay=_chosen(self.weight_decay, fit.weight_decay),
        )


def _check_kind(name: str, value: object) -> None:
    """Refuse a value of another kind than the setting has."""
    if name in YES_OR_NO:
        if not isinstance(value, bool):
            raise InputError(f"{name} is true or false, found {value!r}")
    elif name == "pooling":
        if value not in list(Pooling):
            raise InputError(f"pooling is one of {', '.join(Pooling)}, found {value!r}")
    elif isinstance(value, bool) or not isinstance(value, int if name in WHOLE else int | float):
        raise InputError(f"{name} is a {'whole ' if name in WHOLE else ''}number, found {value!r}")


def _chosen(own: Chosen | None, other: Chosen) -> Chosen:
    return other if own is None else own
