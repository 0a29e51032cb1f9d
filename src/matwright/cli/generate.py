"""`matwright generate`: new crystals that satisfy the given elements, formula and symmetry, as CIFs and a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError

if TYPE_CHECKING:
    from matwright.materials.constraints import Constraints


def generate(
    generator: Annotated[
        str,
        typer.Argument(help='Name of a shipped generator, a folder of a trained one, "random" or "ion-exchange".'),
    ],
    out: Annotated[Path, typer.Option(help="New folder for the results.")],
    n: Annotated[int, typer.Option("-n", help="How many crystals.", min=1)] = 100,
    elements: Annotated[str | None, typer.Option(help='Only these elements, for instance "Li,P,S,O".')] = None,
    require: Annotated[str | None, typer.Option(help="Elements that every crystal must hold.")] = None,
    exclude: Annotated[str | None, typer.Option(help='Never these elements, for instance "Pb,Cd,Hg".')] = None,
    formula: Annotated[str | None, typer.Option(help='Exactly this composition, for instance "LiFePO4".')] = None,
    space_group: Annotated[
        list[int] | None, typer.Option(help="Only this space group (1..230); may be repeated.")
    ] = None,
    min_atoms: Annotated[int, typer.Option(help="Smallest number of atoms in the primitive cell.", min=1)] = 1,
    max_atoms: Annotated[int, typer.Option(help="Largest number of atoms in the primitive cell.", min=1)] = 20,
    max_elements: Annotated[int, typer.Option(help="Largest number of different elements.", min=1)] = 6,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Propose new crystals that satisfy the given elements, formula and symmetry exactly.

    Writes candidates.csv, cifs/ (one file a crystal, with its space group) and run.json into --out.
    """
    from matwright.api.generate import generate_folder  # heavy: behind its door
    from matwright.cli.progress import progress

    constraints = stated_constraints(
        elements=elements,
        require=require,
        exclude=exclude,
        formula=formula,
        space_groups=space_group,
        n_atoms=(min_atoms, max_atoms),
        max_elements=max_elements,
    )
    written = generate_folder(
        generator, n, out=out, constraints=constraints, seed=seed, resume=resume, progress=progress(quiet=quiet)
    )
    typer.echo(f"{written} crystals in {out / 'cifs'}, their table in {out / 'candidates.csv'}")


def stated_constraints(
    *,
    elements: str | None,
    require: str | None,
    exclude: str | None,
    formula: str | None,
    space_groups: list[int] | None,
    n_atoms: tuple[int, int],
    max_elements: int,
) -> Constraints:
    """The constraints that the options spell.

    Raises:
        InputError: an element or formula cannot be read, or the options contradict each other.
    """
    from matwright.materials.constraints import Constraints
    from matwright.materials.target import parse_elements, parse_formula

    if n_atoms[0] > n_atoms[1]:
        raise InputError(f"--min-atoms {n_atoms[0]} is above --max-atoms {n_atoms[1]}")
    return Constraints(
        allowed=parse_elements(elements) if elements else frozenset(),
        required=parse_elements(require) if require else frozenset(),
        forbidden=parse_elements(exclude) if exclude else frozenset(),
        formula=parse_formula(formula) if formula else None,
        space_groups=frozenset(space_groups or ()),
        n_atoms=n_atoms,
        n_elements=(1, max_elements),
    )
