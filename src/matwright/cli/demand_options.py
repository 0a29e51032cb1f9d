"""Options that say what is wanted: targets, elements, formula, symmetry, size; the same for every command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.errors import InputError

if TYPE_CHECKING:
    from matwright.materials.constraints import Constraints
    from matwright.materials.target import Target as Demand

Target = Annotated[
    list[str] | None,
    typer.Option(help='A demand, for instance "bulk_modulus>=200 GPa" or "band_gap=1.5±0.3 eV"; may be repeated.'),
]
Minimise = Annotated[
    list[str] | None, typer.Option("--minimise", "--minimize", help="A property to bring down; may be repeated.")
]
Maximise = Annotated[
    list[str] | None, typer.Option("--maximise", "--maximize", help="A property to bring up; may be repeated.")
]
Elements = Annotated[str | None, typer.Option(help='Only these elements, for instance "Li,P,S,O".')]
Require = Annotated[str | None, typer.Option(help="Elements that every crystal must hold.")]
Exclude = Annotated[str | None, typer.Option(help='Never these elements, for instance "Pb,Cd,Hg".')]
Formula = Annotated[str | None, typer.Option(help='Exactly this composition, for instance "LiFePO4".')]
SpaceGroup = Annotated[list[int] | None, typer.Option(help="Only this space group (1..230); may be repeated.")]
LayerGroup = Annotated[
    list[int] | None,
    typer.Option(help='Layers (2-D materials) of this layer group (1..80) only; may be repeated; from "random".'),
]
MinAtoms = Annotated[int, typer.Option(help="Smallest number of atoms in the primitive cell.", min=1)]
MaxAtoms = Annotated[int, typer.Option(help="Largest number of atoms in the primitive cell.", min=1)]
MaxElements = Annotated[int, typer.Option(help="Largest number of different elements.", min=1)]
Model = Annotated[
    list[str] | None,
    typer.Option(help="Shipped property model or run folder; may be repeated [default: mp-crystal]."),
]
LearningModel = Annotated[
    list[str] | None,
    typer.Option(
        help="Shipped property model or run folder; may be repeated [default: mp-crystal and elastic and band-gap]."
    ),
]
Condition = Annotated[
    list[str] | None,
    typer.Option(
        help='A condition of the predicted properties, "temperature=700 K", for models that know it; may be repeated.'
    ),
]
_PROCESSING = 'How the material is processed, "solution 1150 degC 4 h > age 850 degC 24 h", for models that know steps.'
Steps = Annotated[str | None, typer.Option(help=_PROCESSING)]
Processing = Annotated[str | None, typer.Option("--processing-steps", help=_PROCESSING)]
"""`Steps` where --steps counts those of learning."""
Thresholds = Annotated[Path | None, typer.Option(help="TOML file with the limits of each rung.")]


def wanted_targets(
    demands: list[str] | None, minimise: list[str] | None, maximise: list[str] | None
) -> tuple[Demand, ...]:
    """The demands and objectives that the options state, in this order.

    Raises:
        InputError: there is none, or one cannot be read.
    """
    from matwright.materials.target import parse_target

    words = [*(demands or []), *(f"minimise {name}" for name in minimise or [])]
    words += [f"maximise {name}" for name in maximise or []]
    if not words:
        raise InputError("say what you want: at least one --target, --minimise or --maximise")
    return tuple(parse_target(text) for text in words)


def stated_conditions(conditions: list[str] | None, steps: str | None) -> tuple[str, ...]:
    """The conditions and steps that the options state, as the settings keep them."""
    from matwright.api.conditions import with_steps

    return with_steps(conditions or (), steps)


def tell_remarks(models: Sequence[str], targets: Sequence[Demand], conditions: Sequence[str]) -> None:
    """Say under which conditions the models predict the targets, and what they are not told.

    Raises:
        InputError: a model is not there, or none knows a condition.
    """
    from matwright.api.readiness import knowing_models, remarks_on  # heavy (torch): behind its door

    known = knowing_models(models)
    asked_of = {model.name: [one.name for one in targets if one.name in model.properties] for model in known}
    for sentence in remarks_on(known, asked_of, conditions):
        typer.echo(sentence)


def stated_constraints(
    *,
    elements: str | None,
    require: str | None,
    exclude: str | None,
    formula: str | None = None,
    space_groups: list[int] | None = None,
    layer_groups: list[int] | None = None,
    n_atoms: tuple[int, int] = (1, 20),
    max_elements: int = 6,
) -> Constraints:
    """The constraints that the options spell.

    Raises:
        InputError: an element or formula cannot be read, or the options contradict each other.
    """
    from matwright.materials.constraints import Constraints
    from matwright.materials.target import parse_elements, parse_formula

    if wrong := next((number for number in space_groups or () if not 1 <= number <= 230), None):
        raise InputError(f"space groups are numbered 1..230, found {wrong}")
    if wrong := next((number for number in layer_groups or () if not 1 <= number <= 80), None):
        raise InputError(f"layer groups are numbered 1..80, found {wrong}")
    if n_atoms[0] > n_atoms[1]:
        raise InputError(f"--min-atoms {n_atoms[0]} is above --max-atoms {n_atoms[1]}")
    return Constraints(
        allowed=parse_elements(elements) if elements else frozenset(),
        required=parse_elements(require) if require else frozenset(),
        forbidden=parse_elements(exclude) if exclude else frozenset(),
        formula=parse_formula(formula) if formula else None,
        space_groups=frozenset(space_groups or ()),
        layer_groups=frozenset(layer_groups or ()),
        n_atoms=n_atoms,
        n_elements=(1, max_elements),
    )
