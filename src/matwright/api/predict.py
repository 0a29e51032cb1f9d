"""Predict: trained models by name, applied to crystals, to stores of graphs, and to files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.models import find_model
from matwright.data.record import RawRow, Rejection, RejectionLog, StructureKind, parse_row
from matwright.data.sources import open_source
from matwright.data.sources.cells import table_format
from matwright.errors import InputError, MatwrightError
from matwright.materials.crystal import Crystal
from matwright.materials.material import Structure
from matwright.materials.properties import PropertySpec
from matwright.models.interface import Prediction
from matwright.progress import Progress, silent
from matwright.serialization import atomic_writer

if TYPE_CHECKING:
    from matwright.graphs.builder import Graph
    from matwright.graphs.store import GraphStore
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import BatchPrediction, PropertyModel

COLUMNS = ("material", "property", "unit", "mean", "std", "lower", "upper", "level", "domain_score")
CHUNK = 256  # structures read before they are predicted together
DEFAULT_LEVEL = 0.9


def load_predictor(name_or_path: str | Path, *, level: float = DEFAULT_LEVEL) -> Predictor:
    """Return a trained property model: a shipped one by name ("mp-crystal") or a run folder of `train`.

    Args:
        name_or_path: see above.
        level: nominal coverage of the intervals, in (0, 1).

    Raises:
        InputError: there is no such model, it is broken, it is no property model, or the level is impossible.
    """
    from matwright.uncertainty.stored import load_property_model  # heavy (torch): behind its door

    folder = find_model(name_or_path)
    model, described = load_property_model(folder, level)
    return Predictor(str(name_or_path), folder, model, described)


@final
class Predictor:
    """A trained property model with its intervals and domain score, ready for crystals.

    Attributes:
        name: as it was asked for.
        folder: where it was read from.
        specs: the properties it predicts, by name.
        facts: what made it and how good it is (see the model card).
        graph_settings: the neighbour rule it was built for.
    """

    def __init__(self, name: str, folder: Path, model: PropertyModel, described: ModelFile) -> None:
        self.name = name
        self.folder = folder
        self.specs: dict[str, PropertySpec] = {spec.name: spec for spec in model.specs}
        self.facts = described.facts
        self._model = model
        self.graph_settings = described.config.graph

    def graph(self, structure: Structure) -> Graph:
        """Return a crystal, molecule or composition as the model sees it.

        Raises:
            InputError: two atoms coincide.
        """
        from matwright.graphs.builder import build_graph  # behind its door: only prediction needs graphs

        return build_graph(structure, self.graph_settings)

    def predict(self, crystals: Sequence[Crystal]) -> dict[str, Prediction]:
        """Return one prediction a property, of as many values as there are crystals, in their order.

        A categorical property appears as one probability a class, named "<property>=<class>".

        Raises:
            InputError: there is no crystal, or one in which two atoms coincide.
        """
        return self.predict_graphs([self.graph(crystal) for crystal in crystals])

    def predict_graphs(self, graphs: Sequence[Graph]) -> dict[str, Prediction]:
        """Return the predictions for graphs made by `graph`.

        Raises:
            InputError: there is no graph.
        """
        return dict(self._predict(_Listed(graphs), np.arange(len(graphs)), None).properties)

    def predict_store(
        self, store: GraphStore, indices: NDArray[np.int64] | None = None, *, progress: Progress | None = None
    ) -> dict[str, Prediction]:
        """Return the predictions for the records of a store at `indices`, (n,); by default for all.

        Raises:
            InputError: the store was built by another neighbour rule than the model's, or nothing was chosen.
        """
        if store.settings != self.graph_settings:
            raise InputError("the graphs of this store were built by another neighbour rule than the model's")
        chosen = np.arange(len(store)) if indices is None else indices
        return dict(self._predict(store, chosen, progress).properties)

    def embed(self, crystals: Sequence[Crystal]) -> NDArray[np.float32]:
        """Return (n_crystals, width) where the crystals lie in the model's embedding space.

        Raises:
            InputError: as for `predict`.
        """
        graphs = [self.graph(crystal) for crystal in crystals]
        return self._predict(_Listed(graphs), np.arange(len(graphs)), None).embedding

    def _predict(self, source: Any, indices: NDArray[np.int64], progress: Progress | None) -> BatchPrediction:
        # heavy (torch): behind its door
        from matwright.evaluation.records import predict_records
        from matwright.training.compute import fast_mode

        with fast_mode():
            return predict_records(self._model, source, indices, on_done=(progress or silent()).advance)


@final
@dataclass(frozen=True, slots=True)
class _Listed:
    """Graphs in a list, drawn by index like those of a store."""

    graphs: Sequence[Graph]

    def batch(self, indices: NDArray[np.int64]) -> Any:
        from matwright.graphs.batch import collate  # heavy (torch): behind its door

        return collate([self.graphs[index] for index in indices.tolist()])


def read_inputs(
    paths: Sequence[Path], *, structure: str | None = None, id_column: str | None = None
) -> Iterator[RawRow]:
    """Return the structures in some files, not yet parsed: structure files, folders of them, and tables.

    Every path is checked before the first row is read.

    Args:
        paths: at least one.
        structure: the column of a table that holds CIF or POSCAR text or paths.
        id_column: the column of a table that names the materials.

    Raises:
        InputError: a path does not exist, a folder holds no structure, or a table lacks the column or needs one named.
    """
    if not paths:
        raise InputError("there is nothing to predict: name structure files, folders or tables")
    return chain.from_iterable([_open(path, structure, id_column) for path in paths])


def _open(path: Path, structure: str | None, id_column: str | None) -> Iterator[RawRow]:
    if not path.exists():
        raise InputError(f"{path} does not exist")
    if path.is_dir() or _holds_many(path, structure):
        return open_source(path, structure=structure, id_column=id_column).rows()
    if structure is None and table_format(path) in ("csv", "parquet"):
        raise InputError(f"{path} is a table; name the column that holds the structures with --structure")
    return iter([RawRow(id=path.name, file=str(path), number=1, kind=StructureKind.PATH, payload=str(path))])


def _holds_many(path: Path, structure: str | None) -> bool:
    """Whether a file is a collection: a database, or a table whose structure column is named."""
    return path.suffix.lower() == ".db" or (structure is not None and table_format(path) is not None)


def predict_rows(
    predictor: Predictor,
    rows: Iterable[RawRow],
    *,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> Iterator[tuple[list[str], dict[str, Prediction]]]:
    """Yield (names, predictions by property) in chunks, in constant memory; bad rows go to `on_reject` as they come."""
    listener, remaining = progress or silent(), iter(rows)
    listener.start("predicting")
    while chunk := list(islice(remaining, CHUNK)):
        names: list[str] = []
        graphs: list[Graph] = []
        for row in chunk:
            try:
                graphs.append(predictor.graph(parse_row(row)))
                names.append(row.id)
            except MatwrightError as problem:
                on_reject(Rejection.of(row, problem))
        if graphs:
            yield names, predictor.predict_graphs(graphs)
        listener.advance(len(chunk))
    listener.finish()


def prediction_rows(names: Sequence[str], predictions: Mapping[str, Prediction]) -> Iterator[list[str]]:
    """Yield one row of `COLUMNS` for each material and property, numbers to 6 significant digits, "" where unknown."""
    for index, name in enumerate(names):
        for prediction in predictions.values():
            numbers = (
                prediction.mean[index],
                prediction.std[index],
                prediction.lower[index],
                prediction.upper[index],
                prediction.level,
                prediction.domain_score[index],
            )
            shown = ["" if np.isnan(number) else f"{number:.6g}" for number in numbers]
            yield [name, prediction.spec.name, prediction.spec.unit, *shown]


def predict_to_stream(
    predictor: Predictor,
    rows: Iterable[RawRow],
    stream: TextIO,
    *,
    on_reject: Callable[[Rejection], None],
    progress: Progress | None = None,
) -> int:
    """Write the predictions of all rows as CSV and return how many materials were predicted.

    Raises:
        InputError: no row could be used.
    """
    writer, predicted, rejected = csv.writer(stream, lineterminator="\n"), 0, 0

    def reject(rejection: Rejection) -> None:
        nonlocal rejected
        rejected += 1
        on_reject(rejection)

    writer.writerow(COLUMNS)
    for names, predictions in predict_rows(predictor, rows, on_reject=reject, progress=progress):
        writer.writerows(prediction_rows(names, predictions))
        predicted += len(names)
    if predicted == 0:
        raise InputError(f"none of the {rejected} structures could be used")
    return predicted


def predict_to_file(
    predictor: Predictor,
    rows: Iterable[RawRow],
    out: Path,
    *,
    on_reject: Callable[[Rejection], None],
    overwrite: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
) -> int:
    """Write the predictions to the CSV file `out`, whole or not at all, and the rejected rows beside it.

    Args:
        predictor: makes the predictions.
        rows: of `read_inputs`.
        out: new file; rejected rows go to the file of `rejected_file`.
        on_reject: told of each rejected row too.
        overwrite: whether files that exist may be replaced.
        strict: raise for the first row that cannot be used.
        progress: told of each row done.

    Raises:
        InputError: a file exists already, its folder does not, no row could be used, or a row with `strict`.
    """
    rejected = rejected_file(out)
    if not out.parent.is_dir():
        raise InputError(f"the folder {out.parent} does not exist")
    for path in (out, rejected):
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists; give another --out, or --overwrite to replace it")
    rejected.unlink(missing_ok=True)
    with RejectionLog(rejected, strict=strict) as log, atomic_writer(out) as file:

        def reject(rejection: Rejection) -> None:
            log.add(rejection)
            on_reject(rejection)

        stream = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        count = predict_to_stream(predictor, rows, stream, on_reject=reject, progress=progress)
        stream.detach()
    return count


def rejected_file(out: Path) -> Path:
    """Return where the rejected rows of a prediction file stand: `pred.csv` → `pred.rejected.csv`."""
    return out.with_name(f"{out.stem}.rejected.csv")
