"""What each part of the generative half brings: all of it, and all but one part, at one budget of relaxations.

    python benchmarks/ablation_generation.py --n 60 [--out ablation.jsonl] [--figure docs/figures/ablation.png]
        [--generator control=FOLDER] [--generator consistency=FOLDER] [--generator physics=FOLDER]

Target: formation energy of at most -2.5 eV/atom with at most three elements, without F and O. The whole chain tunes
`mp-generator` by PPO, draws, applies the cheap rules and the surrogate filter (claimed hits first, nearest to the hull
first) and relaxes the first n different crystals with CHGNet. One part is left out at a time:

    rl            the untuned generator draws
    uncertainty   the reward knows neither doubt, margin, domain, second look nor the discount of a hit
    filter        the first n different draws are relaxed, whatever rules and surrogate say of them

The shipped generator was trained without latent consistency and without physics regularisers, so that these parts are
not left out but put in: `--generator NAME=FOLDER` runs the whole chain from a generator that was trained otherwise, and
"control" from one that was trained for as long without them.

A hit is confirmed by the relaxed crystal: the target is met by CHGNet and by SevenNet-0, at most 0.1 eV/atom above the
hull by both. Hits count per CPU-hour of relaxation; S.U.N. is as in benchmarks/sun.py, diversity the mean share of
atoms in which the compositions of two relaxed crystals differ. Results are appended; the same command goes on with
them. Data: MATWRIGHT_DATA or ../shared/data (novelty reference).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rl import BUDGETS, SCALE_DRAWS, TARGETS
from sun import KnownCrystals, novelty, table_rows

from matwright.api.generate import load_generator
from matwright.api.optimise.settings import OptimiseSettings
from matwright.api.optimise.surrogate import surrogate_of
from matwright.data.hull import Hull
from matwright.data.references import load_references
from matwright.errors import CalculationError
from matwright.evaluation.generation import MatchSettings, StructureComparison, stable_unique_novel
from matwright.evaluation.plots import new_figure, save_figure
from matwright.generation.latent import LatentGenerator
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.assessment import counted
from matwright.generation.rl.learner import Learner
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.reward import Reward
from matwright.generation.rl.scoring import Scorer, archived, measure_scales
from matwright.generation.rl.settings import LearningConfig, RewardConfig
from matwright.generation.wyckoff.decode import decode_arrays
from matwright.materials.crystal import Crystal
from matwright.materials.target import parse_target
from matwright.physics.thermodynamics import stability
from matwright.rng import torch_generator
from matwright.runs import provenance
from matwright.screening.cascade import apply_rules
from matwright.screening.thresholds import Thresholds
from matwright.screening.trials import Trial, TrialSettings, assessed, plain_crystal, try_crystals
from matwright.training.compute import fast_mode

ROOT = Path(__file__).resolve().parents[1]
TARGET = "formation_energy"
POTENTIALS = ("chgnet", "sevennet-0")
LIMIT = 0.1  # eV/atom above the hull
UNGUARDED = RewardConfig(uncertainty=0.0, doubt=1e-3, margin=0.0, discounted=False, copies=0)
DRAWN = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """How candidates are made: from which generator, tuned by which reward (None: untuned), filtered or not."""

    generator: str = "mp-generator"
    reward: RewardConfig | None = field(default_factory=RewardConfig)
    filtered: bool = True


LEFT_OUT = {
    "rl": Chain(reward=None),
    "uncertainty": Chain(reward=UNGUARDED),
    "filter": Chain(filtered=False),
}


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    chains = {"all": Chain()} | LEFT_OUT
    chains |= {name: Chain(generator=folder) for name, folder in (text.split("=", 1) for text in options.generator)}
    settings = {"n": options.n, "seed": options.seed, "budget": options.budget, "drawn": DRAWN}
    lines = [json.loads(text) for text in options.out.read_text().splitlines()] if options.out.exists() else []
    if any(line["settings"] != settings for line in lines):
        raise SystemExit(f"{options.out} holds results of other settings: choose another --out")
    for name, chain in chains.items():
        if name not in {line["without"] for line in lines} and (not options.only or name in options.only.split(",")):
            start = time.process_time()
            with fast_mode():
                crystals, claimed = candidates(chain, options)
            seconds = time.process_time() - start
            trials = [trial.to_plain() for some in try_crystals(crystals, TrialSettings()) for trial in some]
            line = {"without": name, "settings": settings, "trials": trials, "claimed": claimed, "made_in": seconds}
            line |= {"drawn": [plain_crystal(crystal) for _, crystal in crystals], "commit": provenance()["commit"]}
            with options.out.open("a") as file:
                file.write(json.dumps(line) + "\n")
            lines.append(line)
            print(f"{name}: {len(trials)} relaxed, made in {seconds:.0f} CPU s", flush=True)
    report(lines, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MATWRIGHT_DATA", str(ROOT.parent / "shared" / "data"))
    parser.add_argument("--n", type=int, default=60, help="crystals relaxed a chain")
    parser.add_argument("--only", default="", help="some of the chains, by commas")
    parser.add_argument("--generator", action="append", default=[], metavar="PART=FOLDER")
    parser.add_argument("--budget", type=int, default=BUDGETS[TARGET], help="crystals scored while learning")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument("--out", type=Path, default=Path("ablation.jsonl"))
    parser.add_argument("--figure", type=Path, help="PNG of the table")
    return parser.parse_args()


def candidates(chain: Chain, options: argparse.Namespace) -> tuple[list[tuple[str, Crystal]], int]:
    """Named crystals to relax, and how many of them the reward claims to be hits."""
    generator = load_generator(chain.generator)
    assert isinstance(generator, LatentGenerator)
    texts, constraints = TARGETS[TARGET]
    targets = [parse_target(text) for text in texts]
    reward = chain.reward or RewardConfig()
    surrogate = surrogate_of(OptimiseSettings(targets=tuple(targets)).models, targets, reward.copies)
    policy = Policy(generator.trained, constraints)
    first = policy.draw(SCALE_DRAWS, torch_generator(options.seed, "rl", "scales"))
    scales = measure_scales(generator.trained, surrogate, first, targets)
    scorer = Scorer(generator.trained, surrogate, Reward(targets, scales, reward))
    learner = Learner(policy, scorer, LearningConfig(), options.seed)
    if chain.reward is not None:
        while learner.scored < options.budget:
            learner.advance()
        learner.settle()
    rollout = policy.draw(DRAWN, torch_generator(options.seed, "rl", "assess"))
    found = archived(scorer(rollout), rollout, step=0)
    chosen, crystals = _chosen(generator, found, chain, options)
    return [(f"{place:04d}", crystal) for place, crystal in enumerate(crystals)], int(chosen.columns["hit"].sum())


def _chosen(
    generator: LatentGenerator, found: Archive, chain: Chain, options: argparse.Namespace
) -> tuple[Archive, list[Crystal]]:
    """The first n different candidates, filtered or as drawn."""
    if not chain.filtered:
        _, first = np.unique(found.keys, return_index=True)
        some = found.select(np.sort(first)[: options.n])
        return some, _crystals(generator, some)
    novel = counted(generator.trained, found, DRAWN)[1]
    order = np.lexsort((novel.columns["e_above_hull"], -novel.columns["hit"]))
    kept: list[int] = []
    crystals = _crystals(generator, novel)
    for place in order.tolist():
        if len(kept) < options.n and all(verdict.passed for verdict in apply_rules(crystals[place], Thresholds())):
            kept.append(place)
    return novel.select(np.array(kept, dtype=np.int64)), [crystals[place] for place in kept]


def _crystals(generator: LatentGenerator, archive: Archive) -> list[Crystal]:
    return decode_arrays(generator.trained.packer.arrays(archive.batch)[0]).crystals()


def report(lines: list[dict[str, Any]], options: argparse.Namespace) -> None:
    """Print the table, and draw it."""
    known, comparison = KnownCrystals(table_rows(options.data)), StructureComparison(MatchSettings())
    heads = ("chain", "relaxed", "claimed", "confirmed", "per CPU-hour of relaxation", "S.U.N.", "diversity")
    print(f"\nseed {options.seed}, commits {', '.join(sorted({str(line['commit'])[:7] for line in lines}))}")
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    rates = {}
    for line in lines:
        trials = [Trial.from_plain(plain) for plain in line["trials"]]
        items = [assessed(trial) for trial in trials]
        confirmed = sum(map(is_hit, trials))
        hours = sum(trial.relax_cpu_seconds for trial in trials) / 3600
        novel = novelty(items, comparison, known)
        (row,) = stable_unique_novel(items, novel, potentials=POTENTIALS, comparison=comparison, thresholds=(LIMIT,))
        name = label(line["without"])
        rates[name] = (confirmed / hours, row.sun.value)
        cells = [name, len(trials), line["claimed"], confirmed, f"{confirmed / hours:.0f}", f"{row.sun.value:.0%}"]
        cells.append(f"{diversity([trial.crystal for trial in trials if trial.crystal is not None]):.2f}")
        print(f"| {' | '.join(map(str, cells))} |")
    if options.figure is not None:
        draw(rates, options.figure)


def label(chain: str) -> str:
    """What the table and the figure call a chain: what it does without, or the generator it starts from."""
    if chain == "all":
        return "the whole chain"
    return f"without {chain}" if chain in LEFT_OUT else f"generator: {chain}"


def is_hit(trial: Trial) -> bool:
    """Whether both potentials say that the relaxed crystal meets the target and is near the hull."""
    if trial.crystal is None:
        return False
    targets = [parse_target(text) for text in TARGETS[TARGET][0]]
    for potential in POTENTIALS:
        if potential not in trial.energies:
            return False
        try:
            found = stability(trial.crystal, trial.energies[potential], load_references(potential), Hull.load())
        except CalculationError:
            return False
        if found.e_above_hull > LIMIT or not all(bool(t.satisfied(found.formation_energy)) for t in targets):
            return False
    return True


def diversity(crystals: Sequence[Crystal]) -> float:
    """Mean over pairs of half the sum of differences of their atomic fractions: 0 same, 1 no element in common."""
    shares: NDArray[np.float64] = np.zeros((len(crystals), 119))
    for place, crystal in enumerate(crystals):
        np.add.at(shares[place], crystal.numbers, 1 / len(crystal))
    first, second = np.triu_indices(len(crystals), 1)
    return float(np.abs(shares[first] - shares[second]).sum(1).mean() / 2) if len(first) else 0.0


def draw(rates: dict[str, tuple[float, float]], path: Path) -> None:
    """Bars of confirmed hits per CPU-hour and of S.U.N. as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = new_figure(2, height=2.4, shared=False)
    names = list(rates)
    for axes, place, label in zip(figure.axes, (0, 1), ("hits per CPU-hour of relaxation", "S.U.N."), strict=True):
        axes.barh(names[::-1], [rate[place] for rate in rates.values()][::-1], color="#2f6fb0")
        axes.set(xlabel=label)
    save_figure(figure, path)


if __name__ == "__main__":
    main()
