"""`matwright generate`: new crystals that satisfy the given elements, formula and symmetry, as CIFs and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.cli import demand_options as options
from matwright.errors import InputError

if TYPE_CHECKING:
    from matwright.generation.aims import Aim
    from matwright.materials.constraints import Constraints
    from matwright.materials.crystal import Crystal
    from matwright.progress import Progress


def generate(
    generator: Annotated[
        str,
        typer.Argument(help='Name of a shipped generator, a folder of a trained one, "random" or "ion-exchange".'),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    n: Annotated[int, typer.Option("-n", help="How many crystals.", min=1)] = 100,
    elements: options.Elements = None,
    require: options.Require = None,
    exclude: options.Exclude = None,
    formula: options.Formula = None,
    space_group: options.SpaceGroup = None,
    layer_group: options.LayerGroup = None,
    around: Annotated[Path | None, typer.Option(help="Sample near this material (a structure file).")] = None,
    between: Annotated[
        tuple[Path, Path] | None, typer.Option(help="Sample on the way from one material to another (two files).")
    ] = None,
    spread: Annotated[
        float | None,
        typer.Option(help="With --around, --between: 0 the material itself, 1 anything [default: 0.3, 0.1]."),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(help='Order a disordered material of --around, --between first: "ewald", lowest electrostatics.'),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help='A demand, for instance "bulk_modulus>=300 GPa": latents are searched; may be repeated.'),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="With --target: property model or run folder; may be repeated [default: mp-crystal]."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(help="With --target: rounds of gradient search; 0 only samples and ranks.", min=0)
    ] = 3,
    draws: Annotated[int, typer.Option(help="With --target: crystals decoded a round.", min=32)] = 512,
    min_atoms: options.MinAtoms = 1,
    max_atoms: options.MaxAtoms = 20,
    max_elements: options.MaxElements = 6,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Propose new crystals that satisfy the given elements, formula and symmetry exactly.

    Anywhere, around a material (--around), between two (--between), or where a property model says that targets are met
    (--target; learned generators only).

    Writes candidates.csv, cifs/ (one file a crystal, with its space group) and run.json into --out.
    """
    from matwright.api.generate import generate_folder  # heavy: behind its door
    from matwright.cli.progress import progress

    constraints = options.stated_constraints(
        elements=elements,
        require=require,
        exclude=exclude,
        formula=formula,
        space_groups=space_group,
        layer_groups=layer_group,
        n_atoms=(min_atoms, max_atoms),
        max_elements=max_elements,
    )
    aim = _aim(around, between, spread, order)
    listener = progress(quiet=quiet)
    if target:
        _searched(generator, n, out, target, model, constraints, aim, (rounds, draws), seed, resume, listener)
        return
    written = generate_folder(
        generator, n, out=out, constraints=constraints, seed=seed, aim=aim, resume=resume, progress=listener
    )
    typer.echo(f"{written} crystals in {out / 'cifs'}, their table in {out / 'candidates.csv'}")


def _aim(around: Path | None, between: tuple[Path, Path] | None, spread: float | None, order: str | None) -> Aim | None:
    """The region of latent space that the options name.

    Raises:
        InputError: they contradict each other, or a file holds no crystal that can be used.
    """
    from matwright.generation.aims import Around, Between  # heavy (torch): behind its door

    if around is None and between is None:
        if spread is not None or order is not None:
            raise InputError("--spread and --order belong to --around or --between")
        return None
    if around is not None and between is not None:
        raise InputError("--around and --between exclude each other")
    if around is not None:
        crystal = _material(around, order)
        return Around(crystal=crystal) if spread is None else Around(crystal=crystal, spread=spread)
    first, second = (_material(path, order) for path in between or ())
    if spread is None:
        return Between(first=first, second=second)
    return Between(first=first, second=second, spread=spread)


def _material(path: Path, method: str | None) -> Crystal:
    """The crystal of a file, ordered where that is asked for."""
    from matwright.materials.interop import read_structure
    from matwright.materials.ordering import OrderingMethod, order

    crystal = read_structure(path)
    if method is None:
        if not crystal.is_ordered:
            raise InputError(f"{path} is disordered (partly occupied sites); order it first with --order ewald")
        return crystal
    if method not in list(OrderingMethod):
        raise InputError(f"--order is {' or '.join(OrderingMethod)}, found {method!r}")
    return order(crystal, OrderingMethod(method))


def _searched(
    generator: str,
    n: int,
    out: Path,
    targets: list[str],
    models: list[str] | None,
    constraints: Constraints,
    aim: Aim | None,
    effort: tuple[int, int],
    seed: int,
    resume: bool,
    listener: Progress,
) -> None:
    """Search latents for targets and say how the rounds went."""
    from matwright.api.models import SEARCH_MODELS  # heavy: behind its door
    from matwright.api.target_search import TargetSearch, search_folder
    from matwright.generation.latent_search import SearchConfig
    from matwright.materials.target import parse_target

    if aim is not None:
        raise InputError("--target searches all latents; it cannot be joined with --around or --between yet")
    if resume:
        raise InputError("a search with --target takes minutes and is not resumed; give a new --out")
    search = TargetSearch(
        generator=generator,
        targets=tuple(parse_target(text) for text in targets),
        models=tuple(models or SEARCH_MODELS),
        constraints=constraints,
        config=SearchConfig(rounds=effort[0], draws=effort[1]),
        seed=seed,
    )
    written, reports = search_folder(search, n, out=out, progress=listener)
    for report in reports:
        where = "free samples" if report.round == 0 else f"gradient round {report.round}"
        typer.echo(f"{where}: {report.hit_rate:.1%} of {report.drawn} meet the targets by the surrogate")
    typer.echo(
        f"{written} different crystals, the best first, in {out / 'cifs'}, their table in {out / 'candidates.csv'}"
    )
