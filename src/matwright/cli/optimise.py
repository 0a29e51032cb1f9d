"""`matwright optimise`: teach a generator by reinforcement learning to propose crystals that meet targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.cli import demand_options as options
from matwright.errors import InputError

if TYPE_CHECKING:
    from matwright.generation.rl.settings import Algorithm


def optimise(
    generator: Annotated[
        str, typer.Argument(help="Name of a shipped learned generator, or a folder of a trained one.")
    ],
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    target: options.Target = None,
    minimise: options.Minimise = None,
    maximise: options.Maximise = None,
    steps: Annotated[int, typer.Option(help="Steps of learning.", min=1)] = 40,
    algorithm: Annotated[str, typer.Option(help="ppo or reinforce.")] = "ppo",
    batch: Annotated[int, typer.Option(help="Sequences drawn a step.", min=1)] = 256,
    learning_rate: Annotated[float, typer.Option(help="Step length of the optimiser.")] = 5e-4,
    leash: Annotated[float, typer.Option(help="Weight of the distance (KL, nats) to the untuned generator.")] = 0.005,
    entropy: Annotated[float, typer.Option(help="Weight of the bonus for variety (entropy, nats).")] = 0.01,
    least_unique: Annotated[
        float, typer.Option(help="Share of a step's crystals that are to differ; below it learning is braked.")
    ] = 0.95,
    stability_weight: Annotated[float, typer.Option(help="Weight of predicted stability in the reward.")] = 0.2,
    uncertainty_weight: Annotated[float, typer.Option(help="Weight of the penalty on unsure predictions.")] = 0.1,
    doubt: Annotated[float, typer.Option(help="Factor on predicted standard deviations in the reward.")] = 2.0,
    margin: Annotated[
        float, typer.Option(help="Predicted standard deviations by which a hit lies inside its target.")
    ] = 1.0,
    chance: Annotated[
        float, typer.Option(help="Probability that a hit meets each target, by the doubted standard deviation.")
    ] = 0.5,
    valence: Annotated[
        float,
        typer.Option(help="Likelihood of its oxidation states below which a crystal counts as a metal, for a gap."),
    ] = 0.2,
    elements: options.Elements = None,
    require: options.Require = None,
    exclude: options.Exclude = None,
    formula: options.Formula = None,
    space_group: options.SpaceGroup = None,
    min_atoms: options.MinAtoms = 1,
    max_atoms: options.MaxAtoms = 20,
    max_elements: options.MaxElements = 6,
    model: options.LearningModel = None,
    condition: options.Condition = None,
    processing: options.Processing = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Teach a generator by reinforcement to propose crystals that meet targets.

    The folder --out becomes a generator itself: give it to `generate` and `design`. It also holds curves.csv and
    curves.png, candidates.csv (the best different crystals with every term of their rewards), cifs/ and run.json.
    """
    from matwright.api.models import SEARCH_MODELS  # heavy: behind its door
    from matwright.api.optimise import OptimiseSettings
    from matwright.api.optimise import optimise as run_optimise
    from matwright.cli.progress import progress
    from matwright.generation.rl.settings import LearningConfig, RewardConfig

    settings = OptimiseSettings(
        targets=options.wanted_targets(target, minimise, maximise),
        constraints=options.stated_constraints(
            elements=elements,
            require=require,
            exclude=exclude,
            formula=formula,
            space_groups=space_group,
            n_atoms=(min_atoms, max_atoms),
            max_elements=max_elements,
        ),
        steps=steps,
        generator=generator,
        models=tuple(model or SEARCH_MODELS),
        conditions=options.stated_conditions(condition, processing),
        learning=LearningConfig(
            algorithm=_algorithm(algorithm),
            batch=batch,
            learning_rate=learning_rate,
            leash=leash,
            entropy=entropy,
            least_unique=least_unique,
        ),
        reward=RewardConfig(
            stability=stability_weight,
            uncertainty=uncertainty_weight,
            doubt=doubt,
            margin=margin,
            chance=chance,
            valence=valence,
        ),
        seed=seed,
    )
    options.tell_remarks(settings.models, settings.targets, settings.conditions)
    outcome = run_optimise(settings, out, resume=resume, progress=progress(quiet=quiet))
    for sentence in outcome.sentences():
        typer.echo(sentence)
    typer.echo(f"the tuned generator is {out}: matwright generate {out} -n 100 --out proposals")


def _algorithm(word: str) -> Algorithm:
    from matwright.generation.rl.settings import Algorithm

    try:
        return Algorithm(word)
    except ValueError:
        known = " or ".join(algorithm.value for algorithm in Algorithm)
        raise InputError(f"the algorithm is {known}, found {word!r}") from None
