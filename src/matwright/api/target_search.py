"""Crystals that meet targets by a search of latents: ranked by the surrogate, every round reported."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import final

from matwright.api.generate import load_generator
from matwright.api.models import SEARCH_MODELS
from matwright.api.optimise.files import write_candidates
from matwright.api.optimise.surrogate import surrogate_of
from matwright.errors import InputError
from matwright.generation.clearance import ClearanceRule
from matwright.generation.coordinates import Room
from matwright.generation.latent import LatentGenerator
from matwright.generation.latent_search import LatentSearch, RoundReport, SearchConfig
from matwright.generation.masks import MaskRules
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.reward import Reward
from matwright.generation.rl.scoring import Scorer, measure_scales
from matwright.generation.rl.settings import RewardConfig
from matwright.generation.sampler import sample_sequences
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import Target
from matwright.progress import Progress, silent
from matwright.rng import torch_generator
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text
from matwright.training.compute import fast_mode

SCALE_DRAWS = 512
"""Sequences of the prior that the scales of the rewards are measured on."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSearch:
    """What is searched for, and how.

    Attributes:
        generator: name or folder of a learned one.
        targets: what the crystals are to meet.
        models: property models, by name or folder; one must predict the formation energy.
        constraints: what every crystal satisfies.
        config: of the search; reward: weights of stability and uncertainty (E28).
        seed: of every random choice.
    """

    generator: str
    targets: tuple[Target, ...]
    models: tuple[str, ...] = SEARCH_MODELS
    constraints: Constraints = NO_CONSTRAINTS
    config: SearchConfig = field(default_factory=SearchConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    seed: int = 0


def search(
    wanted: TargetSearch, n: int, *, progress: Progress | None = None
) -> tuple[LatentGenerator, Archive, tuple[RoundReport, ...]]:
    """The generator, its best n different crystals with every term of their rewards, and what each round gave.

    Raises:
        InputError: the generator has no latents, a target cannot be predicted, or the constraints leave nothing.
    """
    listener = progress or silent()
    generator = load_generator(wanted.generator)
    if not isinstance(generator, LatentGenerator):
        raise InputError(f"{wanted.generator!r} has no latents to search; choose mp-generator or a trained one")
    trained = generator.trained
    surrogate = surrogate_of(wanted.models, wanted.targets, wanted.reward.copies)
    rules = MaskRules(trained.packer.vocabulary, trained.packer.catalogue, wanted.constraints)
    reports: list[RoundReport] = []

    def tell(report: RoundReport) -> None:
        reports.append(report)
        listener.advance()

    listener.start("searching latents", wanted.config.rounds + 1)
    with fast_mode():
        first = sample_sequences(
            trained.model.decoder, rules, SCALE_DRAWS, temperatures=trained.temperatures,
            generator=torch_generator(wanted.seed, "latent-search", "scales"),
            room=Room(packer=trained.packer, rule=ClearanceRule()),
        )  # fmt: skip
        scales = measure_scales(trained, surrogate, first, wanted.targets)
        scorer = Scorer(trained, surrogate, Reward(wanted.targets, scales, wanted.reward))
        found = LatentSearch(trained, rules, scorer, wanted.config, wanted.seed).run(n, tell)
    listener.finish()
    return generator, found, tuple(reports)


def search_folder(
    wanted: TargetSearch, n: int, *, out: Path, progress: Progress | None = None
) -> tuple[int, tuple[RoundReport, ...]]:
    """Write candidates.csv, cifs/, rounds.csv and run.json into a new folder; how many crystals, and the rounds.

    Raises:
        InputError: as `search`, or the folder holds something.
    """
    run = RunFolder.create(out, kind="target-search", settings={**asdict(wanted), "n": n}, seed=wanted.seed)
    with run.given_back_on_failure():
        generator, found, reports = search(wanted, n, progress=progress)
        write_candidates(run, generator.trained, found)
        atomic_write_text(run.file("rounds.csv"), _rounds(reports))
        run.finish({"candidates": len(found), "rounds": [asdict(report) for report in reports]})
    return len(found), reports


def _rounds(reports: Sequence[RoundReport]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(asdict(reports[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(report) for report in reports)
    return text.getvalue()
