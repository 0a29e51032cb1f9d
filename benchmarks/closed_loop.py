"""A real closed loop: generate, relax with CHGNet, learn, generate again; hits per relaxation, round over round.

Wanted are crystals with a bulk modulus of at least 250 GPa (CHGNet's equation of state, ions relaxed) within 0.05
eV/atom of the hull of known compounds, whose structure the library of known materials does not hold. The campaign is
`configs/closed-loop.toml`; beside it in the same run the same campaign with batches chosen at random from the same
generator, without drawing near the best (`random`), and optionally others. Each way keeps a store of its own, so that
an interrupted benchmark goes on where it stopped. A relaxation is one candidate of the rung `stability`; a hit whose
relaxed structure StructureMatcher finds equal to an earlier hit's does not count again. Intervals are Wilson's at 95 %.

Run as: python benchmarks/closed_loop.py --rounds 6 --batch 40 --seeds 2 --out closed-loop
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from matwright.api.campaign import load_campaign, run_campaign
from matwright.api.campaign.ledger import Ledger
from matwright.api.campaign.settings import CampaignSettings
from matwright.api.campaign.status import told
from matwright.api.design.distinct import Seen, group_of
from matwright.campaign.acquisition import Acquisition
from matwright.cli.progress import progress
from matwright.runs import provenance

FILE = Path(__file__).resolve().parents[1] / "configs" / "closed-loop.toml"


def main() -> int:
    """Run every way with every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--ways", default="closed loop,random")
    parser.add_argument("--out", type=Path, default=Path("closed-loop"))
    options = parser.parse_args()
    unknown = [way for way in options.ways.split(",") if way not in WAYS]
    if unknown:
        print(f"there is no way {unknown[0]!r}; known: {', '.join(WAYS)}", file=sys.stderr)
        return 2
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"commit {provenance()['commit']}, batches of {options.batch}")
    for way in options.ways.split(","):
        ledgers = []
        begun = time.process_time()
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            settings = prepared(options, way, seed)
            ledgers.append(run_campaign(settings, progress=progress()).ledger)
        report(way, ledgers, time.process_time() - begun)
    return 0


def prepared(options: argparse.Namespace, way: str, seed: int) -> CampaignSettings:
    """The campaign of the file with another seed, batch, number of rounds and store."""
    settings = load_campaign(FILE)
    name = f"{way.replace(' ', '-')}-{seed}"
    choice = replace(settings.choice, batch=options.batch)
    stop = replace(settings.stop, rounds=options.rounds)
    store = str(options.out / f"{name}.db")
    return WAYS[way](replace(settings, name=name, store=store, seed=seed, choice=choice, stop=stop))


def at_random(settings: CampaignSettings) -> CampaignSettings:
    """Batches by chance, from a generator that is told nothing."""
    acquisition = replace(settings.choice.acquisition, kind=Acquisition.RANDOM)
    return replace(
        settings,
        choice=replace(settings.choice, acquisition=acquisition),
        proposer=replace(settings.proposer, around_best=0.0, candidates=5 * settings.choice.batch),
    )


def without_steering(settings: CampaignSettings) -> CampaignSettings:
    """The surrogate chooses, from a generator that is told nothing."""
    return replace(settings, proposer=replace(settings.proposer, around_best=0.0))


WAYS: dict[str, Callable[[CampaignSettings], CampaignSettings]] = {
    "closed loop": lambda settings: settings,
    "generator not steered": without_steering,
    "random": at_random,
}


def report(way: str, ledgers: list[Ledger], seconds: float) -> None:
    """One line a round: relaxations, hits, their share, the stiffest stable candidate."""
    print(f"\n{way}, {len(ledgers)} seeds, {seconds:.0f} CPU s in this run")
    print("| round | relaxed | hits | hits per relaxation | each seed | within 0.05 eV/atom | stiffest of these, GPa |")
    print("|---|---|---|---|---|---|---|")
    different = {ledger.name: different_hits(ledger) for ledger in ledgers}
    for number in range(max(ledger.rounds for ledger in ledgers)):
        relaxed, hits, stable, best = 0, [], 0, 0.0
        for ledger in ledgers:
            own = [one for one in ledger.standings if one.member.round_number == number and one.records]
            relaxed += len(own)
            hits.append(sum(one.member.structure in different[ledger.name] for one in own))
            risen = [one.values["bulk_modulus"].value for one in own if "bulk_modulus" in one.values]
            stable += sum(len(one.records) > 1 for one in own)
            best = max([best, *risen])
        low, high = wilson(sum(hits), relaxed)
        share = f"{100 * sum(hits) / relaxed:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"
        each = ", ".join(map(str, hits))
        print(f"| {number + 1} | {relaxed} | {sum(hits)} | {share} | {each} | {stable} | {best:.0f} |")
    for ledger in ledgers:
        found = [one for one in ledger.hits if one.member.structure in different[ledger.name]]
        formulas = {one.member.formula for one in found}
        cpu = sum(record.seconds for one in ledger.standings for record in one.records)
        print(f"{ledger.name}: {len(found)} hits of {len(formulas)} formulas, {cpu:.0f} s of evaluations")
        print("\n".join(f"  {told(ledger, one)}" for one in found[:5]))


def different_hits(ledger: Ledger) -> set[str]:
    """Addresses of the hits whose relaxed structures differ from those of all earlier hits."""
    seen, found = Seen(), set()
    hits = {one.member.structure for one in ledger.hits}
    for one in ledger.standings:
        if one.member.structure not in hits:
            continue
        group = group_of(one.crystal)
        if seen.twin(one.crystal, group) is None:
            seen.add(one.member.structure, one.crystal, group)
            found.add(one.member.structure)
    return found


def wilson(k: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The interval of a share."""
    middle, width = (k + z * z / 2) / (n + z * z), z * (k * (n - k) / n + z * z / 4) ** 0.5 / (n + z * z)
    return max(middle - width, 0.0), min(middle + width, 1.0)


if __name__ == "__main__":
    sys.exit(main())
