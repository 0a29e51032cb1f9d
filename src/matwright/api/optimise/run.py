"""Optimise: tune a generator by reinforcement learning until its crystals meet the targets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from matwright.api.generate import load_generator
from matwright.api.optimise.files import draw_curves, save_tuned, write_candidates, write_curves
from matwright.api.optimise.result import OptimiseResult
from matwright.api.optimise.settings import OptimiseSettings
from matwright.api.optimise.surrogate import surrogate_of
from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.latent import LatentGenerator
from matwright.generation.rl.assessment import Assessment, assess
from matwright.generation.rl.learner import Learner, StepReport
from matwright.generation.rl.policy import Policy
from matwright.generation.rl.reward import Reward, Scale
from matwright.generation.rl.scoring import Scorer, measure_scales
from matwright.generation.rl.state import load_scales, restore_state, save_state
from matwright.generation.rl.surrogate import Surrogate
from matwright.progress import Progress, silent
from matwright.rng import torch_generator
from matwright.runs import RunFolder
from matwright.training.compute import fast_mode

STATE = "state.safetensors"
SAVE_EVERY = 5
"""Steps between two saves; after a kill at most so many are done again, with the same result."""
SCALE_DRAWS = 512
"""Sequences of the untuned generator that the scales of the rewards are measured on."""


def optimise(
    settings: OptimiseSettings, out: Path, *, resume: bool = False, progress: Progress | None = None
) -> OptimiseResult:
    """Tune a generator and write the run folder.

    The folder holds the tuned generator (model.json, model.safetensors), curves.csv, curves.png, candidates.csv,
    cifs/, run.json and the state that a resumed run goes on from.

    Raises:
        InputError: generator or model are unknown, a target cannot be predicted, the constraints contradict each
            other or leave nothing, or the folder holds something else.
    """
    listener = progress or silent()
    trained, surrogate = _ingredients(settings)
    policy = Policy(trained, settings.constraints)
    described = asdict(settings)
    if not settings.conditions:  # then the run is the same as before there were any
        del described["conditions"]
    if resume:
        run = RunFolder.open_for_resume(out, kind="optimise", settings=described, seed=settings.seed)
    else:
        run = RunFolder.create(out, kind="optimise", settings=described, seed=settings.seed)
    with fast_mode():
        learner, reports = _started(settings, policy, surrogate, run)
        before = _assessed(settings, Policy(trained, settings.constraints), learner.scorer)
        _learn(learner, reports, settings.steps, run, listener)
        best = learner.settle().report
        after = _assessed(settings, policy, learner.scorer)
    return _finished(settings, learner, reports, best, (before, after), run, listener)


def _ingredients(settings: OptimiseSettings) -> tuple[TrainedGenerator, Surrogate]:
    """The generator and the models by their names."""
    generator = load_generator(settings.generator)
    if not isinstance(generator, LatentGenerator):
        raise InputError(f"{settings.generator!r} does not learn; choose mp-generator or the folder of a trained one")
    return generator.trained, surrogate_of(
        settings.models, settings.targets, settings.reward.copies, settings.conditions
    )


def _started(
    settings: OptimiseSettings, policy: Policy, surrogate: Surrogate, run: RunFolder
) -> tuple[Learner, list[StepReport]]:
    """A new learner, or the one that was saved."""
    state = run.path / STATE
    saved = state.is_file()
    scales = load_scales(state) if saved else _scales(settings, policy, surrogate)
    reward = Reward(settings.targets, scales, settings.reward)
    learner = Learner(policy, Scorer(policy.trained, surrogate, reward), settings.learning, settings.seed)
    return learner, restore_state(state, learner) if saved else []


def _scales(settings: OptimiseSettings, policy: Policy, surrogate: Surrogate) -> dict[str, Scale]:
    rollout = policy.draw(SCALE_DRAWS, torch_generator(settings.seed, "rl", "scales"))
    return measure_scales(policy.trained, surrogate, rollout, settings.targets)


def _assessed(settings: OptimiseSettings, policy: Policy, scorer: Scorer) -> Assessment:
    return assess(policy, scorer, settings.assessed, settings.seed)[0]


def _learn(learner: Learner, reports: list[StepReport], steps: int, run: RunFolder, listener: Progress) -> None:
    """The steps that are left, saved as they come."""
    listener.start("learning", steps)
    listener.advance(len(reports))
    while len(reports) < steps:
        report = learner.advance()
        reports.append(report)
        listener.note(f"hit rate {report.hit_rate:.1%}, reward {report.reward:.2f}, KL {report.kl:.1f}")
        listener.advance()
        if report.step % SAVE_EVERY == 0 or report.step == steps:
            save_state(run.file(STATE), learner, reports)
            write_curves(run, reports)
    listener.finish()


def _finished(
    settings: OptimiseSettings,
    learner: Learner,
    reports: list[StepReport],
    best: StepReport,
    assessed: tuple[Assessment, Assessment],
    run: RunFolder,
    listener: Progress,
) -> OptimiseResult:
    """Write everything that a finished run leaves."""
    if learner.archive is None:
        raise InputError("no step was done: there is nothing to write")
    before, after = assessed
    facts = {"before": asdict(before), "after": asdict(after), "best_step": asdict(best)}
    listener.start("writing files", 3)
    save_tuned(run, learner.policy, settings, facts)
    listener.advance()
    write_candidates(run, learner.policy.trained, learner.archive)
    listener.advance()
    draw_curves(run, reports)
    listener.finish()
    run.finish(facts | {"scored": learner.scored, "hits": len(learner.hit_keys)})
    return OptimiseResult(
        before=before,
        after=after,
        reports=tuple(reports),
        candidates=learner.archive,
        scales=dict(learner.scorer.reward.scales),
        generator=str(run.path),
    )
