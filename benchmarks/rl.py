"""Four ways from a generator to targets on one budget of scored crystals: PPO, REINFORCE, latent search, ranking.

    python benchmarks/rl.py --speed                                    # scored crystals a second on one core
    python benchmarks/rl.py --target all --seeds 5 --out rl.jsonl      # the comparison; an existing file is continued
    python benchmarks/rl.py --report --out rl.jsonl                    # the tables again, from the file
    python benchmarks/rl_confirm.py --runs rl.jsonl                    # second opinions on the hits

Each way may score `--budget` crystals with the shipped predictor. Then it proposes: PPO and REINFORCE draw `--assess`
fresh sequences from the tuned policy (beyond the budget), the latent search decodes as many in its last round (within
it), ranking hands out as many of its best ones. "Before" are fresh draws of the
untuned generator under the same constraints and seed. A hit meets every target by the predicted mean; rates are among
valid (contact rules), unique (formula, space group, letters) and novel crystals (formula with space group not among
the shipped fingerprints of known materials).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from matwright.api.generate import load_generator
from matwright.api.optimise.settings import OptimiseSettings
from matwright.api.optimise.surrogate import compositions, surrogate_of
from matwright.data.hull import Hull
from matwright.data.hull_batch import shipped_hull_table
from matwright.elements import atomic_number
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.latent import LatentGenerator
from matwright.generation.latent_search import LatentSearch, RoundReport, SearchConfig
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.assessment import Assessment, assess, counted
from matwright.generation.rl.learner import Learner, StepReport
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.pool import draw_pool
from matwright.generation.rl.reward import Reward
from matwright.generation.rl.scoring import Scorer, decoded, measure_scales
from matwright.generation.rl.settings import Algorithm, LearningConfig, RewardConfig
from matwright.generation.rl.surrogate import Surrogate
from matwright.generation.wyckoff.decode import decode_arrays
from matwright.graphs.arrays import CrystalGraphs
from matwright.graphs.batch import collate
from matwright.graphs.builder import build_graph
from matwright.graphs.settings import GraphSettings
from matwright.materials.composition import padded_compositions
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.materials.target import parse_target
from matwright.physics.valence import valence_likelihood
from matwright.rng import torch_generator
from matwright.runs import provenance
from matwright.training.compute import fast_mode

FLUORINE_AND_OXYGEN = frozenset({atomic_number("F"), atomic_number("O")})
TARGETS: dict[str, tuple[tuple[str, ...], Constraints]] = {
    "bulk_modulus": (("bulk_modulus>=300 GPa",), NO_CONSTRAINTS),
    "band_gap": (("band_gap=1.5±0.2 eV", "e_above_hull<=0.1 eV/atom"), NO_CONSTRAINTS),
    "formation_energy": (
        ("formation_energy_per_atom<=-2.5 eV/atom",),
        Constraints(forbidden=FLUORINE_AND_OXYGEN, n_elements=(1, 3)),
    ),
}
BUDGETS = {"bulk_modulus": 8000, "band_gap": 8000, "formation_energy": 3500}
"""Crystals that each way may score."""
SCALE_DRAWS = 512
SCORED = 0.9
"""Share of sequences that become a scored crystal, to plan the rounds of the latent search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One target with one seed: what every way starts from."""

    trained: TrainedGenerator
    constraints: Constraints
    scorer: Scorer
    budget: int
    n: int
    seed: int
    least_unique: float

    def policy(self) -> Policy:
        """An untuned policy."""
        return Policy(self.trained, self.constraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Counts of the proposals, the novel ones, different novel hits within the budget, crystals scored, and notes."""

    after: Assessment
    proposals: Archive
    found: int
    scored: int
    notes: dict[str, Any]


def learned(task: Task, algorithm: Algorithm) -> Outcome:
    policy = task.policy()
    config = replace(LearningConfig(), algorithm=algorithm, least_unique=task.least_unique)
    learner = Learner(policy, task.scorer, config, task.seed)
    reports: list[StepReport] = []
    while learner.scored < task.budget:
        reports.append(learner.advance())
    best = learner.settle().report
    after, proposals = assess(policy, task.scorer, task.n, task.seed)
    assert learner.archive is not None
    curve = [asdict(report) for report in reports]
    return Outcome(
        after=after,
        proposals=proposals,
        found=novel_hits(task, learner.archive),
        scored=learner.scored,
        notes={"curve": curve, "best_step": best.step, "kl": best.kl},
    )


def ascended(task: Task) -> Outcome:
    config = SearchConfig(draws=task.n, rounds=max(1, round(task.budget / (SCORED * task.n)) - 1))
    rules = task.policy().rules
    search = LatentSearch(task.trained, rules, task.scorer, config, task.seed)
    reports: list[RoundReport] = []
    found = search.run(10 * task.budget, reports.append)
    assert search.latest is not None
    after, proposals = counted(task.trained, search.latest, task.n)
    scored = sum(round(report.valid * report.drawn) for report in reports)
    notes = {"rounds": [asdict(report) for report in reports]}
    return Outcome(after=after, proposals=proposals, found=novel_hits(task, found), scored=scored, notes=notes)


def ranked(task: Task) -> Outcome:
    pool = draw_pool(task.policy(), task.scorer, task.budget, task.seed)
    found = pool.found
    best = found.best(len(found))
    top = best.select(np.argsort(-best.columns["reward"], kind="stable")[: task.n])
    after, proposals = counted(task.trained, top, len(top))
    return Outcome(after=after, proposals=proposals, found=novel_hits(task, found), scored=pool.scored, notes={})


def novel_hits(task: Task, archive: Archive) -> int:
    hits = archive.select(np.flatnonzero(archive.columns["hit"] > 0))
    return counted(task.trained, hits, len(hits))[0].hits if len(hits) else 0


WAYS: dict[str, Callable[[Task], Outcome]] = {
    "ppo": lambda task: learned(task, Algorithm.PPO),
    "reinforce": lambda task: learned(task, Algorithm.REINFORCE),
    "latent": ascended,
    "ranking": ranked,
}


def main() -> None:
    options = _options()
    torch.set_num_threads(1)
    with fast_mode():
        if options.speed:
            print_speed(options.seed)
            return
        if not options.report:
            run_all(options)
    report(_lines(options.out))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true", help="measure scored crystals a second, and nothing else")
    parser.add_argument("--report", action="store_true", help="only print the tables of --out")
    parser.add_argument("--target", default="all", help=f"all, or some of {','.join(TARGETS)}")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0, help="of --speed")
    parser.add_argument("--budget", type=int, help="crystals scored in one run [default: that of the target]")
    narrow = LearningConfig().least_unique
    parser.add_argument("--least-unique", type=float, default=narrow, help="share of a step that is to differ")
    usual = RewardConfig().valence
    parser.add_argument("--valence", type=float, default=usual, help="see RewardConfig; 0 believes any predicted gap")
    parser.add_argument("--assess", type=int, default=1000, help="proposals of one run")
    parser.add_argument("--kept", type=int, default=40, help="hits of one run that are kept for second opinions")
    parser.add_argument("--out", type=Path, default=Path("rl.jsonl"))
    return parser.parse_args()


def ingredients(name: str) -> tuple[TrainedGenerator, Surrogate]:
    """The shipped generator, and what `matwright optimise` asks about a target by default."""
    generator = load_generator("mp-generator")
    assert isinstance(generator, LatentGenerator)
    settings = OptimiseSettings(targets=tuple(parse_target(text) for text in TARGETS[name][0]))
    return generator.trained, surrogate_of(settings.models, settings.targets, RewardConfig().copies)


def run_all(options: argparse.Namespace) -> None:
    learning = replace(LearningConfig(), least_unique=options.least_unique)
    settings = {"assess": options.assess, "learning": _plain(learning)}
    settings["reward"] = asdict(replace(RewardConfig(), valence=options.valence))
    lines = _lines(options.out)
    done = {(line["target"], line["way"], line["seed"]) for line in lines}
    if any(line["settings"] != settings for line in lines):
        raise SystemExit(f"{options.out} holds results of other settings: choose another --out")
    names = list(TARGETS) if options.target == "all" else options.target.split(",")
    for seed in range(options.seeds):
        for name in names:
            ways = [way for way in options.ways.split(",") if (name, way, seed) not in done]
            if ways:
                task = started(name, seed, options)
                before, plain = assess(task.policy(), task.scorer, 2 * task.n, seed)
                for way in ways:
                    line = run_one(name, way, task, before, options.kept)
                    line["untuned_hits"] = kept_hits(task.trained, plain, options.kept, seed)
                    _append(options.out, {"settings": settings, **line})


def started(name: str, seed: int, options: argparse.Namespace) -> Task:
    """One target with one seed, the rewards scaled on draws of the untuned generator."""
    trained, surrogate = ingredients(name)
    texts, constraints = TARGETS[name]
    targets = [parse_target(text) for text in texts]
    rollout = Policy(trained, constraints).draw(SCALE_DRAWS, torch_generator(seed, "rl", "scales"))
    config = replace(RewardConfig(), valence=options.valence)
    reward = Reward(targets, measure_scales(trained, surrogate, rollout, targets), config)
    return Task(
        trained=trained,
        constraints=constraints,
        scorer=Scorer(trained, surrogate, reward),
        budget=options.budget or BUDGETS[name],
        n=options.assess,
        seed=seed,
        least_unique=options.least_unique,
    )


def run_one(name: str, way: str, task: Task, before: Assessment, kept: int) -> dict[str, Any]:
    """One way on one task, as a line of the file."""
    start = time.process_time()
    outcome = WAYS[way](task)
    seconds = time.process_time() - start
    print(
        f"{name:17s} {way:10s} seed {task.seed}: hit rate {before.hit_rate:.4f} -> {outcome.after.hit_rate:.4f}, "
        f"unique {outcome.after.uniqueness:.3f}, {outcome.found} novel hits in {outcome.scored} scored, "
        f"{seconds:.0f} CPU s",
        flush=True,
    )
    return {
        "target": name,
        "way": way,
        "seed": task.seed,
        "before": _assessed(before),
        "after": _assessed(outcome.after),
        "budget": task.budget,
        "found": outcome.found,
        "scored": outcome.scored,
        "cpu_seconds": seconds,
        "notes": outcome.notes,
        "commit": provenance()["commit"],
        "hits": kept_hits(task.trained, outcome.proposals, kept, task.seed),
    }


def _assessed(counts: Assessment) -> dict[str, Any]:
    return asdict(counts) | {"hit_rate": counts.hit_rate, "uniqueness": counts.uniqueness, "validity": counts.validity}


def kept_hits(trained: TrainedGenerator, proposals: Archive, n: int, seed: int) -> list[dict[str, Any]]:
    """A random choice of the hits, as crystals with what the predictor said of them."""
    hits = np.flatnonzero(proposals.columns["hit"] > 0)
    chosen = proposals.select(np.random.default_rng(seed).permutation(hits)[:n])
    if len(chosen) == 0:
        return []
    crystals = decode_arrays(trained.packer.arrays(chosen.batch)[0]).crystals()
    names = ("bulk_modulus", "band_gap", "formation_energy_per_atom", "e_above_hull", "domain_score", "reward")
    return [
        {
            "lattice": crystal.lattice.tolist(),
            "frac_coords": crystal.frac_coords.tolist(),
            "numbers": crystal.numbers.tolist(),
            "space_group": int(chosen.batch.group[row]),
            "predicted": {name: float(chosen.columns[name][row]) for name in names},
        }
        for row, crystal in enumerate(crystals)
    ]


def report(lines: list[dict[str, Any]]) -> None:
    """Print one table a target: mean and standard deviation over the seeds."""
    if not lines:
        raise SystemExit("there are no runs to report")
    commits = sorted({str(line["commit"])[:7] for line in lines})
    print(f"\ncommits {', '.join(commits)}; settings {json.dumps(lines[-1]['settings'])}")
    for name in TARGETS:
        some = [line for line in lines if line["target"] == name]
        if not some:
            continue
        untuned = _spread([line["before"]["hit_rate"] for line in some if line["way"] == some[0]["way"]], percent=True)
        print(f"\n{name}: {'; '.join(TARGETS[name][0])}; {some[0]['budget']} scored | untuned hit rate {untuned}")
        heads = ["way", "seeds", "hit rate", "times untuned", "uniqueness", "validity", "novel hits in budget", "CPU s"]
        heads += ["kept hits", "with usual valences", "of the commonest prototype"]
        print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
        for way in WAYS:
            runs = [line for line in some if line["way"] == way]
            if runs:
                print(_row(way, runs))


def _row(way: str, runs: list[dict[str, Any]]) -> str:
    rates = [run["after"]["hit_rate"] for run in runs]
    base = np.mean([run["before"]["hit_rate"] for run in runs])
    cells = [
        way,
        str(len(runs)),
        _spread(rates, percent=True),
        f"{np.mean(rates) / base:.1f}" if base else "-",
        _spread([run["after"]["uniqueness"] for run in runs], percent=True),
        _spread([run["after"]["validity"] for run in runs], percent=True),
        _spread([run["found"] for run in runs]),
        _spread([run["cpu_seconds"] for run in runs]),
        *_kinds([hit for run in runs for hit in run["hits"]]),
    ]
    return f"| {' | '.join(cells)} |"


def _kinds(hits: list[dict[str, Any]]) -> list[str]:
    """How many hits there are, and which shares of them have usual valences and are of the commonest prototype."""
    if not hits:
        return ["0", "-", "-"]
    elements = [Counter(hit["numbers"]) for hit in hits]
    usual = valence_likelihood(*padded_compositions(elements)) >= RewardConfig().valence
    kinds = Counter(
        (hit["space_group"], tuple(sorted(some.values()))) for hit, some in zip(hits, elements, strict=True)
    )
    (_, most) = kinds.most_common(1)[0]
    return [str(len(hits)), f"{usual.mean():.0%}", f"{most / len(hits):.0%}"]


def _spread(values: list[float], *, percent: bool = False) -> str:
    mean, std = np.mean(values), np.std(values, ddof=1) if len(values) > 1 else float("nan")
    return f"{100 * mean:.2f} ± {100 * std:.2f} %" if percent else f"{mean:.0f} ± {std:.0f}"


def print_speed(seed: int, steps: int = 8) -> None:
    """Print scored crystals per CPU second of scoring alone and of whole steps of each algorithm."""
    trained, surrogate = ingredients("bulk_modulus")
    targets = [parse_target(text) for text in TARGETS["bulk_modulus"][0]]
    policy = Policy(trained, NO_CONSTRAINTS)
    scales = measure_scales(trained, surrogate, policy.draw(SCALE_DRAWS, torch_generator(seed, "scales")), targets)
    scorer = Scorer(trained, surrogate, Reward(targets, scales, RewardConfig()))
    print(f"seed {seed}, commit {provenance()['commit']}, one thread, CPU time")
    scorer(policy.draw(256, torch_generator(seed, "warm")))
    start, scored = time.process_time(), 0
    for step in range(steps):
        scored += int(scorer(policy.draw(1024, torch_generator(seed, "speed", step))).passed.sum())
    print(f"draw, decode, graphs, predict, hull, reward: {scored / (time.process_time() - start):.0f} crystals/s")
    print_parts(trained, policy, seed)
    for algorithm in Algorithm:
        learner = Learner(policy, scorer, replace(LearningConfig(), algorithm=algorithm), seed)
        learner.advance()
        start, before = time.process_time(), learner.scored
        for _ in range(steps):
            learner.advance()
        rate = (learner.scored - before) / (time.process_time() - start)
        print(f"the same with the updates of {algorithm.value}: {rate:.0f} crystals/s")


def print_parts(trained: TrainedGenerator, policy: Policy, seed: int) -> None:
    """Print what hull energies and graphs of one rollout cost one by one and all together, in CPU seconds."""
    cells = decoded(trained, policy.draw(1024, torch_generator(seed, "parts")))[2]
    crystals, hull, table = cells.crystals(), Hull.load(), shipped_hull_table()
    rule = GraphSettings()
    chunks = np.split(np.arange(len(cells)), range(64, len(cells), 64))  # as large as the predictor's batches
    graphs = CrystalGraphs(
        lattices=cells.lattices,
        frac_coords=cells.frac_coords,
        numbers=cells.numbers,
        offsets=cells.offsets,
        settings=rule,
    )
    amounts = [Counter(crystal.numbers.tolist()) for crystal in crystals]
    parts: dict[str, Callable[[], Any]] = {
        "hull energies one by one": lambda: [hull.hull_energy(some) for some in amounts if hull.has_elements(some)],
        "hull energies together": lambda: table.energies_at(*compositions(cells)),
        "graphs one by one": lambda: [collate([build_graph(crystals[i], rule) for i in some]) for some in chunks],
        "graphs together": lambda: [graphs.batch(some) for some in chunks],
    }
    for word, part in parts.items():
        start = time.process_time()
        part()
        print(f"{word}, {len(crystals)} crystals: {time.process_time() - start:.3f} s")


def _plain(config: LearningConfig) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Algorithm) else value for key, value in asdict(config).items()}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
