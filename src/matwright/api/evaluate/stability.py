"""S.U.N. of a set of crystals: stable by every potential, unique, novel; trials are kept and continued."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from matwright.api.evaluate.measures import CrystalSet
from matwright.api.evaluate.settings import EvaluationSettings, Measure, matcher_text
from matwright.errors import CalculationError
from matwright.evaluation.generation import Assessed, StructureComparison, SunAtThreshold, stable_unique_novel
from matwright.materials.crystal import Crystal
from matwright.materials.interop import primitive
from matwright.progress import Progress
from matwright.screening.trials import Trial, TrialSettings, assessed, try_crystals


def read_trials(path: Path) -> dict[str, Trial]:
    """The trials of an earlier call by key; a half-written last line is left out, its crystal is tried again."""
    if not path.is_file():
        return {}
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            trial = Trial.from_plain(json.loads(line))
        except json.JSONDecodeError:
            continue
        found[trial.key] = trial
    return found


def trials_of(own: CrystalSet, settings: TrialSettings, path: Path, progress: Progress) -> list[Trial]:
    """One trial a crystal, in order; those that `path` holds are not made again, new ones are appended as they come.

    Raises:
        InputError: a potential is unknown or not installed.
    """
    done = read_trials(path)
    jobs = [(name, _smallest(c)) for name, c in zip(own.names, own.crystals, strict=True) if name not in done]
    progress.start("relaxing", len(jobs))
    with path.open("a", encoding="utf-8") as handle:
        for trials in try_crystals(jobs, settings):
            for trial in trials:
                handle.write(json.dumps(trial.to_plain()) + "\n")
                done[trial.key] = trial
            handle.flush()
            progress.advance(len(trials))
    progress.finish()
    return [done[name] for name in own.names]


def _smallest(crystal: Crystal) -> Crystal:
    try:
        return primitive(crystal)
    except CalculationError:
        return crystal


def judged(
    own: CrystalSet, trials: Sequence[Trial], reference: CrystalSet | None, settings: EvaluationSettings
) -> tuple[list[Assessed], tuple[SunAtThreshold, ...]]:
    """Energies above the hull, and S.U.N. at every threshold; without a reference every crystal counts as novel.

    Crystals that could not be used count as not stable.
    """
    items = [assessed(trial) for trial in trials]
    items += [Assessed(crystal=None, e_above_hull={}, known_system=False)] * own.unusable
    relaxed = [item.crystal for item in items if item.crystal is not None]
    comparison = StructureComparison(settings.same)
    look_up = (lambda _: ()) if reference is None else reference.by_formula()
    new = iter(comparison.novel(relaxed, look_up))
    novel = [bool(next(new)) if item.crystal is not None else False for item in items]
    potentials = settings.trials.potentials if settings.trials is not None else ()
    return items, stable_unique_novel(items, novel, potentials=potentials, comparison=comparison)


def sun_measures(
    rows: Sequence[SunAtThreshold], reference: CrystalSet | None, settings: EvaluationSettings
) -> list[Measure]:
    """The shares of S.U.N. as measures."""
    if settings.trials is None:
        return []
    text = trial_text(settings.trials, settings, len(reference) if reference is not None else 0)
    found = []
    for row in rows:
        parts = {f"stable_by_{name}": part for name, part in row.stable_by.items()}
        parts |= {"stable": row.stable, "sun": row.sun}
        parts |= {"sun_new_formula": row.sun_new_formula, "sun_empty_system": row.sun_empty_system}
        for name, part in parts.items():
            found.append(
                Measure(
                    name=f"{name}_at_{row.threshold:g}",
                    value=part.value,
                    unit="1",
                    n=part.n,
                    setting=f"within {row.threshold:g} eV/atom of the hull; {text}",
                    interval=part.interval,
                )
            )
    return found


def trial_text(trials: TrialSettings, settings: EvaluationSettings, n_reference: int) -> str:
    """Everything that S.U.N. depends on, in words."""
    relaxation = {k: v for k, v in asdict(trials.relaxation).items() if k in ("fmax", "smax", "max_steps")}
    limits = "fmax {fmax} eV/Å, smax {smax} GPa, at most {max_steps} steps".format(**relaxation)
    novel = f"novel against {n_reference:,} crystals" if n_reference else "novelty not asked (no reference crystals)"
    return (
        f"relaxed with {trials.potentials[0]} ({limits}, cell free); stable by {' and '.join(trials.potentials)} at "
        "that geometry, each against its own elemental references, hull mp_hull_85014; no noble gas, no element "
        f"without hull data; unique and novel by {matcher_text(settings.same)}; {novel}"
    )
