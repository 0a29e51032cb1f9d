"""Training of a matcher: crystals with simulated patterns in, a folder with the trained model out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.match.model import save_matcher
from matwright.physics.diffraction.disturbance import Disturbance
from matwright.progress import Progress

if TYPE_CHECKING:
    import torch

    from matwright.graphs.store import GraphStore
    from matwright.models.contrastive import ContrastiveConfig, ContrastiveMatcher
    from matwright.models.match_batch import MatchSource
    from matwright.physics.diffraction.peaks import Peaks
    from matwright.training.settings import FitSettings

TRAINING = Disturbance(
    noise=0.08,
    strain=0.015,
    widths=(0.08, 0.5),
    mixing=1.0,
    zero=0.1,
    background=0.1,
    scatter=0.4,
    damping=1.5,
    crop=0.3,
    constant_noise=False,
)
"""What a pattern of the training may have suffered: more than a query should have."""

VALIDATION = Disturbance(
    noise=0.05, strain=0.015, widths=(0.1, 0.4), mixing=1.0, zero=0.1, background=0.05, scatter=0.3, damping=1.0
)
"""What the patterns of the validation have suffered."""

RANKS = (1, 5, 20, 100)
_SHARES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
_CHUNK = 256


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MatchData:
    """Crystals of the training and validation parts: `graphs` and `peaks` of the same crystals in one order."""

    graphs: GraphStore
    peaks: Sequence[Peaks]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def train_matcher(
    data: MatchData,
    config: ContrastiveConfig,
    settings: FitSettings,
    *,
    out: Path,
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train, choose the share of the graph's state on the validation part, write the folder `out`, return its facts.

    Args:
        data: crystals with their peaks.
        config: sizes.
        settings: of the fit.
        out: existing folder for `model.json`, `model.safetensors` and `log.csv`.
        seed: of initial weights, order and disturbances.
        about: where the data come from, kept in the model's facts.
        resume: go on from the state of an interrupted fit in `out`.
        progress: told how much of the budget is spent.
    """
    import torch  # heavy: behind its door

    from matwright.models.contrastive import ContrastiveMatcher
    from matwright.models.match_batch import MatchSource, measured_with
    from matwright.training.fit import FitData, fit, remove_state

    source = MatchSource(data.graphs, data.peaks)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = ContrastiveMatcher(config)

    def evaluate(now: torch.nn.Module) -> dict[str, float]:
        found = recalls(*embedded(now, source, data.validation, VALIDATION, seed=seed))  # type: ignore[arg-type]
        return {"score": 1.0 - found["ideal"][1], "graph": found["graph"][2], "ideal": found["ideal"][0]}

    outcome = fit(
        model,
        FitData(source=source, train=data.train, validation=data.validation),
        settings,
        folder=out,
        seed=seed,
        evaluate=evaluate,
        augment=measured_with(TRAINING),
        progress=progress,
        resume=resume,
    )
    measured, graphs, ideal = embedded(model.eval(), source, data.validation, VALIDATION, seed=seed)
    share = best_share(measured, graphs, ideal)
    found = {
        name: dict(zip(map(str, RANKS), rates, strict=True)) for name, rates in recalls(measured, graphs, ideal).items()
    }
    facts: dict[str, Any] = {
        "data": dict(about or {}),
        "n_train": len(data.train),
        "n_validation": len(data.validation),
        "fit": asdict(replace(settings)),
        "cpu_minutes": outcome.seconds / 60,
        "steps": outcome.steps,
        "seed": seed,
        "training": asdict(TRAINING),
        "validation": {"disturbance": asdict(VALIDATION), "recall": found},
    }
    save_matcher(model, out, graph_share=share, facts=facts)
    remove_state(out)
    return facts


def embedded(
    model: ContrastiveMatcher, source: MatchSource, indices: NDArray[np.int64], how: Disturbance, *, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit states (n, width) of the measured patterns, the graphs and the ideal patterns of some crystals."""
    import torch  # heavy: behind its door

    from matwright.models.match_batch import measured_with

    measure, generator = measured_with(how), torch.Generator().manual_seed(seed)
    parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    with torch.no_grad():
        for start in range(0, len(indices), _CHUNK):
            batch = measure(source.batch(indices[start : start + _CHUNK]), generator)
            measured, ideal = model.measured(batch.measured)[0], model.measured(batch.ideal)[0]
            parts.append((measured, model.graphs(batch.graphs)[0], ideal))
    measured, graphs, ideal = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return measured, graphs, ideal


def recalls(measured: torch.Tensor, graphs: torch.Tensor, ideal: torch.Tensor) -> dict[str, list[float]]:
    """Share of the patterns whose own crystal is among the first `RANKS`, by graphs and by ideal patterns."""
    return {"graph": _recall(measured @ graphs.T), "ideal": _recall(measured @ ideal.T)}


def best_share(measured: torch.Tensor, graphs: torch.Tensor, ideal: torch.Tensor) -> float:
    """The share of the graph's state in the vector of a crystal that finds most patterns first, the least of equals."""
    similarity = {share: measured @ (share * graphs + (1 - share) * ideal).T for share in _SHARES}
    return max(_SHARES, key=lambda share: (round(sum(_recall(similarity[share])[:3]), 4), -share))


def _recall(similarity: torch.Tensor) -> list[float]:
    before = (similarity > similarity.diagonal()[:, None]).sum(dim=1)
    return [float((before < rank).double().mean()) for rank in RANKS]
