"""`matwright tune`: search the settings with which a table is learned best."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matwright.cli import table_options as options

if TYPE_CHECKING:
    from matwright.training.search import Trial


def tune(
    table: options.Table,
    target: options.Target,
    out: Annotated[Path, typer.Option(help="New folder for the search.")],
    trials: Annotated[int, typer.Option(help="Models to train, one with each choice of settings.", min=1)] = 30,
    minutes: Annotated[float | None, typer.Option(help="CPU minutes for each trial.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data for each trial.")] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help='What a setting may be, as name=low:high, for instance "width=32:64"; may be repeated.'
        ),
    ] = None,
    structure: options.Structure = None,
    structures: options.Structures = None,
    formula: options.Formula = None,
    composition_columns: options.CompositionColumns = None,
    composition_unit: options.CompositionUnit = "wt%",
    balance: options.Balance = None,
    rescale: options.Rescale = False,
    molecule_columns: options.MoleculeColumns = None,
    condition: options.Condition = None,
    steps: options.Steps = None,
    step_columns: options.StepColumns = None,
    keep_suspicious: options.KeepSuspicious = False,
    log: options.Log = None,
    id_column: options.IdColumn = None,
    split_column: options.SplitColumn = None,
    group_column: options.GroupColumn = None,
    split: options.Split = None,
    loss: options.Loss = "mae",
    fusion: options.Fusion = "unified",
    arrhenius: options.Arrhenius = None,
    residual: options.Residual = None,
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda or auto.")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(help="Processes that read structures [default: one a CPU].", min=1)
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder for the graphs, found again by later runs [default: inside --out].")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the search in --out, to more --trials if wanted.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Search learning rate, width, layers, dropout, batch size and weight decay for a table.

    Every trial trains one model on the training part and is judged on the validation part; the test part is not looked
    at. The folder --out receives best.toml, which `matwright train --settings` reads, trials.csv with every trial, and
    search.png with the course of the search and what mattered in it.
    """
    # heavy (torch): behind its door
    from matwright.api.columns import TableColumns
    from matwright.api.parts import split_settings
    from matwright.api.search_space import ranges_named
    from matwright.api.train_settings import TrainSettings, fusion_named, loss_named, residuals_named
    from matwright.api.tune import tune as run
    from matwright.cli.progress import progress
    from matwright.cli.train import check_device
    from matwright.training.settings import protocol

    how, space = protocol("default", epochs=epochs, minutes=minutes), ranges_named(bounds or ())
    division = split_settings(split, split_column, group_column)
    chosen_loss, chosen_fusion, residuals = loss_named(loss), fusion_named(fusion), residuals_named(residual or ())
    check_device(device)
    source = TableColumns(
        targets=tuple(target),
        logarithms=tuple(log or ()),
        structure=structure,
        structures=structures,
        formula=formula,
        percents=composition_columns,
        percent_unit=composition_unit,
        balance=balance,
        rescale=rescale,
        molecule=molecule_columns,
        conditions=tuple(condition or ()),
        steps=steps,
        step_columns=tuple(step_columns or ()),
        keep_doubtful=keep_suspicious,
        id_column=id_column,
        split_column=split_column,
        group_column=group_column,
    ).open(table)
    settings = TrainSettings(
        specs=source.targets,
        split=division,
        protocol="default",
        how=how,
        loss=chosen_loss,
        conditions=source.wanted.schema,
        fusion=chosen_fusion,
        arrhenius=tuple(arrhenius or ()),
        residuals=residuals,
        seed=seed,
        device=device,
    )
    result = run(
        source,
        settings,
        trials=trials,
        out=out,
        space=space,
        resume=resume,
        workers=workers,
        strict=strict,
        store_folder=store,
        on_trial=None if quiet else _say,
        progress=progress(quiet=quiet),
    )
    first = result.trials[0]
    print(f"best of {len(result.trials)} trials, usual settings {_score(first)}:")
    print(result.best.as_toml(), end="")
    if result.importances:
        print("what mattered: " + ", ".join(f"{name} {100 * part:.0f} %" for name, part in result.importances.items()))
    print(f"train with: matwright train … --settings {out / 'best.toml'}")


def _say(trial: Trial) -> None:
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in trial.values.items())
    print(f"trial {trial.number + 1}: {_score(trial)} ({chosen})", file=sys.stderr)


def _score(trial: Trial) -> str:
    return f"{trial.state.value}, score {trial.score:.4g}" if trial.score is not None else trial.state.value
