"""Explain: what the predictions of a model rest on, for the materials in some files, as a page and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

from matwright.api.condition_ranges import RangeWatch
from matwright.api.conditions import conditions_of_values
from matwright.api.models import find_model, model_hash
from matwright.data.record import RawRow, Rejection, RejectionLog, parse_row
from matwright.elements import atomic_number
from matwright.errors import InputError, MatwrightError
from matwright.materials.conditions import Conditions
from matwright.materials.material import Structure
from matwright.materials.microstructure import Microstructure
from matwright.materials.properties import nearest_hint
from matwright.progress import Progress, silent
from matwright.runs import RunFolder
from matwright.serialization import atomic_write_text, atomic_writer

if TYPE_CHECKING:
    from matwright.explain.explanation import Explanation
    from matwright.models.checkpoint import ModelFile
    from matwright.models.interface import PropertyModel
    from matwright.models.scaled import ScaledModel

PAGE_FILE, TABLE_FILE, REJECTED_FILE = "explanation.html", "attributions.csv", "rejected.csv"
MAX_CARDS = 96
"""Predictions on the page, one card each, of as many materials; the table holds all."""


def load_explainer(name_or_path: str | Path) -> Explainer:
    """Return what explains the predictions of a trained model: a shipped one by name or a run folder of `train`.

    Raises:
        InputError: there is no such model, it is broken or no property model, or captum is not installed.
    """
    # heavy (torch): behind their doors
    from matwright.models.checkpoint import load_members
    from matwright.uncertainty.stored import load_property_model

    folder = find_model(name_or_path)
    model, described = load_property_model(folder)
    try:
        import captum  # noqa: F401 (an optional library, needed later)
    except ImportError as error:
        raise InputError("captum is not installed: pip install 'matwright[explain]'") from error
    return Explainer(str(name_or_path), folder, model, described, load_members(folder, described))


@final
class Explainer:
    """A trained property model that says what its predictions rest on.

    Attributes:
        name: as it was asked for.
        folder: where the model was read from.
        properties: names that can be explained; a categorical property has one a class.
        schema: the conditions that the model knows, None where it knows none.
        graph_settings: the neighbour rule that it was built for.
        members: its networks in double precision.
        elements: atomic numbers of the training data.
        learned: from what it learned, compositions or structures.
        facts: what made the model and how good it is.
    """

    def __init__(
        self, name: str, folder: Path, model: PropertyModel, described: ModelFile, members: Sequence[ScaledModel]
    ) -> None:
        from matwright.explain.probe import for_probing, probed_specs  # heavy (torch): behind its door

        self.name, self.folder = name, folder
        self.properties = tuple(spec.name for spec in probed_specs(members[0]))
        self.schema = described.config.conditions
        self.facts, self.learned = described.facts, described.learned
        self._model, self._described, self.graph_settings = model, described, described.config.graph
        self.members = tuple(for_probing(member) for member in members)
        said = described.facts.get("data", {}).get("elements")
        if not said:
            raise InputError(f"the model {name} does not say which elements it was trained on: there is no reference")
        self.elements = [atomic_number(symbol) for symbol in said]

    def explain(
        self,
        structure: Structure,
        conditions: Conditions | Mapping[str, float | str | None] | None = None,
        *,
        properties: Sequence[str] | None = None,
    ) -> Explanation:
        """Return the predictions for one material and what they rest on.

        Args:
            structure: a crystal, molecule or composition.
            conditions: that hold for it; what is not named is unknown.
            properties: those to explain, None for all.

        Raises:
            InputError: two atoms coincide, there is no such property, the model does not know these conditions, or a
                law of temperature lacks its temperature.
        """
        self.check(properties)
        if conditions is None or self.schema is None:
            if conditions is not None:
                raise InputError(f"the model {self.name} knows no conditions; it was trained without them")
            return self._explain(structure, (), (), properties, "")
        known = conditions_of_values(self.schema, conditions)
        return self._explain(structure, self.schema.encode(known), self.schema.encode_steps(known), properties, "")

    def explain_row(
        self, row: RawRow, *, properties: Sequence[str] | None = None, watch: RangeWatch | None = None
    ) -> Explanation:
        """Return the explanation of a row of `read_inputs`; errors as for `explain`, and of its structure.

        `watch` looks at a row that can be used.
        """
        structure = parse_row(row)
        found = self._explain(structure, row.conditions, row.steps, properties, row.id)
        if watch is not None:
            watch.see(row.conditions, row.steps, reduced=self.learned.reduces(structure))
        return found

    def _explain(
        self,
        structure: Structure,
        conditions: tuple[float, ...],
        steps: tuple[tuple[float, ...], ...],
        properties: Sequence[str] | None,
        name: str,
    ) -> Explanation:
        # heavy (torch): behind their doors
        from matwright.explain.attribution import explain_subject
        from matwright.explain.explanation import Explanation, condition_words
        from matwright.explain.subject import Subject, batch_of, unknown_conditions
        from matwright.training.compute import fast_mode

        seen = self.learned.seen(structure)
        values = conditions or unknown_conditions(self.schema)
        subject = Subject(graph=self._described.graph(structure), conditions=values, steps=steps)
        with fast_mode():
            predictions = self._model.predict(batch_of([subject])).properties
            explained = explain_subject(self.members, subject, self.elements, properties)
        return Explanation(
            id=name,
            structure=seen.as_layer() if isinstance(seen, Microstructure) else seen,
            conditions=condition_words(self.schema, values, steps),
            predictions=predictions,
            explained=explained,
        )

    def check(self, properties: Sequence[str] | None) -> None:
        """Raise InputError unless the model predicts every one of `properties`."""
        for name in properties or ():
            if name not in self.properties:
                raise InputError(
                    f"the model {self.name} predicts no {name!r}{nearest_hint(name, self.properties)}; it predicts "
                    f"{', '.join(self.properties)}"
                )


def explain_to_folder(
    explainer: Explainer,
    rows: Iterable[RawRow],
    out: Path,
    *,
    properties: Sequence[str] | None = None,
    settings: Mapping[str, object] | None = None,
    on_reject: Callable[[Rejection], None],
    strict: bool = False,
    watch: RangeWatch | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the page, the table and `run.json` into the new folder `out` and return how many materials were explained.

    Args:
        explainer: of `load_explainer`.
        rows: of `read_inputs`.
        out: new folder; it is removed when nothing comes of the run.
        properties: names of those to explain, None for all.
        settings: what else determines the result, for `run.json`.
        on_reject: told of each row that cannot be used; they also stand in rejected.csv.
        strict: raise for the first row that cannot be used.
        watch: looks at the conditions of the rows that can be used.
        progress: told of each row done.

    Raises:
        InputError: the folder is occupied, the model predicts no such property, no row could be used, or a row with
            `strict`.
    """
    explainer.check(properties)
    made_by = {"model": explainer.name, "model_hash": model_hash(explainer.folder), "properties": properties}
    run = RunFolder.create(out, kind="explain", settings={**made_by, **(settings or {})}, seed=0)
    with run.given_back_on_failure(), RejectionLog(run.file(REJECTED_FILE), strict=strict) as log:

        def reject(row: RawRow, problem: MatwrightError) -> None:
            rejection = Rejection.of(row, problem)
            log.add(rejection)
            on_reject(rejection)

        count, shown = _write_table(explainer, rows, run, properties, reject, watch, progress or silent())
        if count == 0:
            raise InputError(f"none of the {log.count} materials could be used")
        from matwright.api.report.attribution import render_explanations  # heavy (torch): behind its door

        page = render_explanations(shown, model=explainer.name, n_all=count, record=run.record)
        atomic_write_text(run.file(PAGE_FILE), page)
        run.finish({"explained": count, "rejected": log.count})
    return count


def _write_table(
    explainer: Explainer,
    rows: Iterable[RawRow],
    run: RunFolder,
    properties: Sequence[str] | None,
    reject: Callable[[RawRow, MatwrightError], None],
    watch: RangeWatch | None,
    progress: Progress,
) -> tuple[int, list[Explanation]]:
    """Explain every row into the table, in constant memory; the first few come back for the page."""
    from matwright.explain.table import COLUMNS, table_rows  # heavy (torch): behind its door

    count = 0
    shown: list[Explanation] = []
    progress.start("explaining")
    with atomic_writer(run.file(TABLE_FILE)) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            try:
                found = explainer.explain_row(row, properties=properties, watch=watch)
            except MatwrightError as problem:
                reject(row, problem)
            else:
                count += 1
                shown += [found] if not shown or count * len(found.explained.attributions) <= MAX_CARDS else []
                writer.writerows([_shown(cell) for cell in line] for line in table_rows(found))
            progress.advance()
        text.detach()
    progress.finish()
    return count, shown


def _shown(cell: object) -> object:
    """A number to 6 significant digits, nothing for what is unknown."""
    return "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else cell
