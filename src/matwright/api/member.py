"""One member of the ensemble: what its own process does, from the open store to the saved weights."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.assessment import exact_targets
from matwright.api.conditions import coded_by
from matwright.materials.conditions import ConditionSchema
from matwright.materials.properties import PropertySpec
from matwright.models.config import GemPpmConfig
from matwright.progress import Progress
from matwright.rng import derive_seed
from matwright.serialization import read_json, write_json
from matwright.training.fit import FitData, FitResult, fit, remove_state
from matwright.training.log import HistoryRow
from matwright.training.settings import FitSettings

if TYPE_CHECKING:
    import torch

    from matwright.models.scaled import ScaledModel

RESULT_FILE = "fit.json"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MemberJob:
    """Everything a member needs; it is sent to its process.

    Attributes:
        folder: of the run; weights go to `member-<index>.safetensors`, log and state to `members/<index>/`.
        store: folder of the graph store.
        train, validation: (n,) indices into the store.
        config: of the network; its conditions are those that the training part knows.
        schema: the conditions as the store codes them, None where it has none.
        start: folder of the trained model that the member starts from, one of its members each; None for none.
        index: of the member, counted from 0.
        seed: of the run; a member's own randomness is derived from it and the index.
        resume: continue from a saved state where there is one, and do nothing where the member is done.
    """

    folder: Path
    store: Path
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    specs: tuple[PropertySpec, ...]
    config: GemPpmConfig
    schema: ConditionSchema | None
    start: Path | None = None
    settings: FitSettings
    index: int
    seed: int
    device: str
    resume: bool

    @property
    def own_folder(self) -> Path:
        """Where the member keeps its log and state."""
        return self.folder / "members" / str(self.index)


def fit_member(
    job: MemberJob,
    progress: Progress,
    keep_going: Callable[[], bool],
    on_validation: Callable[[Mapping[str, float]], None] | None = None,
) -> FitResult:
    """Train one member, save its weights in the run folder and return its learning curve.

    `on_validation` is told the numbers of each validation.
    """
    # heavy (torch): behind its door
    from matwright.graphs.batch import perturb
    from matwright.graphs.store import GraphStore
    from matwright.models.checkpoint import member_file, save_member

    if job.resume and member_file(job.folder, job.index).exists():
        return read_result(job.own_folder)
    if not job.resume:
        shutil.rmtree(job.own_folder, ignore_errors=True)
    job.own_folder.mkdir(parents=True, exist_ok=True)
    store = coded_by(GraphStore.open(job.store), job.schema, job.config.conditions)
    model = make_model(job, store.targets[job.train], store.atom_counts[job.train])
    model.measure(store, job.train)
    if job.start is not None:
        _start(model, job.start, job.index)
    scale = [float(value) for value in model.scale]
    truth = exact_targets(store, job.validation)

    def evaluate(judged: torch.nn.Module) -> Mapping[str, float]:
        from matwright.evaluation.records import predict_records, validation_numbers

        judged_model: Any = judged
        numbers = validation_numbers(job.specs, predict_records(judged_model, store, job.validation), truth, scale)
        if on_validation is not None:
            on_validation(numbers)
        return numbers

    def augment(batch: Any, generator: torch.Generator) -> Any:
        return perturb(batch, job.settings.perturbation, job.settings.strain, generator)

    moved = job.settings.perturbation > 0 or job.settings.strain > 0
    result = fit(
        model,
        FitData(source=store, train=job.train, validation=job.validation),
        job.settings,
        folder=job.own_folder,
        seed=derive_seed(job.seed, "member", job.index),
        evaluate=evaluate,
        augment=augment if moved else None,
        progress=progress,
        device=job.device,
        resume=job.resume,
        keep_going=keep_going,
    )
    write_json(job.own_folder / RESULT_FILE, result)
    save_member(job.folder, job.index, model)
    remove_state(job.own_folder)
    return result


def make_model(job: MemberJob, targets: NDArray[np.float64], atom_counts: NDArray[np.int64]) -> ScaledModel:
    """Return the untrained model of a member; its weights depend on seed and index alone."""
    # heavy (torch): behind its door
    import torch

    from matwright.models.gem_ppm import GemPpm
    from matwright.models.scaled import ScaledModel, TargetScale

    scale = TargetScale.fit(targets, atom_counts, job.specs)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(job.seed, "weights", job.index))
        network = GemPpm(job.config)
    return ScaledModel(network, job.specs, scale)


def _start(model: ScaledModel, folder: Path, index: int) -> None:
    """Give a member the weights of a member of a trained model."""
    # heavy (torch): behind its door
    from matwright.models.checkpoint import load_member, read_model_file
    from matwright.models.transfer import start_from

    described = read_model_file(folder)
    start_from(model, load_member(folder, index % described.n_members, described.config, described.specs))


def read_result(folder: Path) -> FitResult:
    """Return what a finished member wrote about its fit."""
    content = read_json(folder / RESULT_FILE)
    return FitResult(**{**content, "history": tuple(HistoryRow(**row) for row in content["history"])})
