"""Info: what the shipped models are, and the card of any model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from matwright.api.models import CARD_FILE, MODEL_FILE, find_model, shipped_models
from matwright.errors import InputError
from matwright.physics.elasticity import COMPONENT_NAMES
from matwright.serialization import read_json

SUMMARY_OF_FORMAT: Mapping[str, str] = {
    "matwright-sequence-autoencoder": "generates crystals as symmetry-true sequences (space group, Wyckoff positions)",
    "matwright pattern matcher": "finds the crystals that explain a measured powder diffraction pattern",
}
"""One line for each kind of model that is not a predictor."""


def shipped_summaries() -> Iterator[tuple[str, str]]:
    """Yield (name, one line) for each model that ships with the package."""
    for name, folder in shipped_models().items():
        yield name, _summary(read_json(folder / MODEL_FILE))


def card(name_or_path: str) -> str:
    """Return the model card, Markdown, of a shipped model or a run folder.

    Raises:
        InputError: there is no such model, or it has no card.
    """
    folder = find_model(name_or_path)
    path = folder / CARD_FILE
    if not path.is_file():
        raise InputError(f"the model in {folder} has no card ({CARD_FILE} is missing)")
    return path.read_text(encoding="utf-8")


def _summary(content: Mapping[str, Any]) -> str:
    """Return what a predictor predicts with its test errors, or what a generator makes."""
    if "specs" not in content:
        return SUMMARY_OF_FORMAT.get(str(content.get("format")), "a model of another kind")
    reports = content.get("facts", {}).get("metrics", {}).get("test", {})
    shown = []
    for spec in content["specs"]:
        if spec["name"] in COMPONENT_NAMES[1:]:  # the first component stands for all
            continue
        if spec["name"] == COMPONENT_NAMES[0]:
            shown.append(f"the elastic tensor ({spec['unit']})")
            continue
        report = reports.get(spec["name"], {})
        if "mae" in report:
            shown.append(f"{spec['name']} (test MAE {report['mae']:.3g} {spec['unit']})")
        elif "accuracy" in report:
            shown.append(f"{spec['name']} (test accuracy {report['accuracy']:.3f})")
        else:
            shown.append(f"{spec['name']} ({spec['unit']})")
    return "predicts " + ", ".join(shown)
