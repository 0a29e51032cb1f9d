"""`matwright train`: from a table of structures to a calibrated property model with its card."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from matwright.cli import table_options as options
from matwright.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


def train(
    table: options.Table,
    target: options.Target,
    out: Annotated[Path, typer.Option(help="New folder for the model.")],
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
    refuse_leakage: Annotated[
        bool, typer.Option("--refuse-leakage", help="Stop when a formula stands in two parts, instead of a warning.")
    ] = False,
    minutes: Annotated[float | None, typer.Option(help="CPU minutes for each member.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data for each member.")] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML or JSON file with rate, width, layers and so on, as tune writes it."),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validate with so many folds instead, what --split names kept together.", min=2),
    ] = None,
    ensemble: Annotated[int, typer.Option(help="Members of the ensemble, each trained in its own process.")] = 1,
    protocol: Annotated[str, typer.Option(help="Training protocol: default or paper.")] = "default",
    loss: options.Loss = "mae",
    fusion: options.Fusion = "unified",
    arrhenius: options.Arrhenius = None,
    residual: options.Residual = None,
    forest: Annotated[
        int, typer.Option(help="Trees of a forest beside the networks, weighted by its merit; 0 for none.", min=0)
    ] = 0,
    start: Annotated[
        str | None,
        typer.Option(
            help="Trained model, shipped or a run folder, whose weights to start from; at a tenth of the learning rate."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="Where to train: cpu, cuda or auto.")] = "cpu",
    workers: Annotated[
        int | None, typer.Option(help="Processes that read structures and train members [default: one a CPU].", min=1)
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder for the graphs, found again by later runs [default: inside --out].")
    ] = None,
    save_every: Annotated[float, typer.Option(help="Seconds between two saved states, for --resume.", min=0)] = 20.0,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.", min=0)] = 0,
    origin: Annotated[str | None, typer.Option(help="Where the data come from, for the card.")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="A sentence on where the model ends, for the card. Repeatable.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Show no progress.")] = False,
) -> None:
    """Train a property model on a table of materials: crystals, molecules or compositions, with their conditions.

    The folder --out receives the model, its card with test errors and coverage, the split, the log, and pictures of
    the learning curve and of predicted against true values. Rows that cannot be used are listed in rejected.csv, those
    with processing steps that are hard to believe in suspicious.csv.

    With --folds 5 the folder receives one model a fold instead, and folds.csv with the errors of each fold, their mean
    and spread.
    """
    # heavy (torch): behind its door
    from matwright.api.columns import TableColumns
    from matwright.api.folds import cross_validate
    from matwright.api.folds import describe as describe_folds
    from matwright.api.hyperparameters import HyperParameters
    from matwright.api.parts import split_settings
    from matwright.api.start import RATE
    from matwright.api.train import train as run
    from matwright.api.train_settings import TrainSettings, fusion_named, loss_named, residuals_named
    from matwright.cli.progress import progress
    from matwright.training.settings import protocol as find_protocol

    how = find_protocol(protocol, epochs=epochs, minutes=minutes)
    rate = how.settings.learning_rate * (1.0 if start is None else RATE)
    how = replace(how, settings=replace(how.settings, save_seconds=save_every, learning_rate=rate))
    division = split_settings(split, split_column, group_column, refuse_leakage=refuse_leakage)
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
        protocol=protocol,
        how=how,
        members=ensemble,
        loss=chosen_loss,
        conditions=source.wanted.schema,
        fusion=chosen_fusion,
        arrhenius=tuple(arrhenius or ()),
        residuals=residuals,
        forest=forest,
        start=start,
        seed=seed,
        device=device,
    )
    if settings_file is not None:
        settings = HyperParameters.read(settings_file).apply(settings)
    if folds is not None:
        validated = cross_validate(
            source,
            settings,
            folds=folds,
            out=out,
            resume=resume,
            workers=workers,
            strict=strict,
            store_folder=store,
            progress=progress(quiet=quiet),
        )
        print("\n".join([*describe_folds(validated), f"table of the folds: {out / 'folds.csv'}"]))
        return
    result = run(
        source,
        settings,
        out=out,
        resume=resume,
        workers=workers,
        strict=strict,
        store_folder=store,
        facts={"origin": origin, "limits": limit or []},
        progress=progress(quiet=quiet),
    )
    if result.leakage:
        print(f"matwright: warning: {result.leakage}", file=sys.stderr)
    if result.rejected:
        print(f"{result.rejected} rows could not be used; the reasons are in {out / 'rejected.csv'}", file=sys.stderr)
    if result.suspicious:
        print(
            f"{result.suspicious} records have processing steps with numbers that are hard to believe; these "
            f"{'were used' if keep_suspicious else 'count as missing'} and are listed in {out / 'suspicious.csv'}",
            file=sys.stderr,
        )
    part = "test" if "test" in result.metrics else "validation"
    for name, report in result.metrics[part].items():
        print(f"{name}: {_summary(report, part)}")
    print(f"model and card: {out}")


def check_device(device: str) -> None:
    """Raise InputError unless the device exists."""
    import torch  # heavy: behind its door

    if device not in ("cpu", "cuda", "auto"):
        raise InputError(f"a device is cpu, cuda or auto, found {device!r}")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("this machine has no CUDA device; use --device cpu")


def _summary(report: Mapping[str, Any], part: str) -> str:
    if "accuracy" in report:
        return f"accuracy {report['accuracy']:.3f} on {report['n']} {part} records"
    coverage = f", coverage of 90 % intervals {100 * report['coverage']['0.9']:.1f} %" if report["coverage"] else ""
    return f"MAE {report['mae']:.4g} {report['unit']}, R² {report['r2']:.3f} on {report['n']} {part} records{coverage}"
