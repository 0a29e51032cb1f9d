"""The trained models that a campaign asks, and which of its conditions they know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matwright.api.campaign.settings import CampaignSettings
from matwright.api.conditions import conditions_known
from matwright.api.readiness import knowing_models, remarks_on


def surrogate_model(table: Mapping[str, Any], folder: Path) -> str:
    """The model of a table [[evaluator]] of the kind surrogate: a folder relative to the file's, else a name."""
    name = str(table.get("model", "mp-crystal"))
    return str(folder / name) if (folder / name).is_dir() else name


def conditions_of_filter(models: Sequence[str], conditions: Sequence[str]) -> tuple[str, ...]:
    """Those of a campaign's conditions that the models of its filter know.

    Raises:
        InputError: a model is not there.
    """
    return conditions_known([model.schema for model in knowing_models(models)], conditions) if conditions else ()


def campaign_remarks(settings: CampaignSettings) -> tuple[str, ...]:
    """A sentence for each model that predicts a target under conditions or from compositions alone.

    Raises:
        InputError: a model is not there, no model knows a condition, or a value cannot be read.
    """
    tables = [table for table in settings.evaluators if table.get("kind") == "surrogate"]
    names = [surrogate_model(table, settings.folder) for table in tables]
    names += settings.filter.models if settings.filter.until in ("surrogate", "predicted_elastic") else ()
    names += [settings.surrogate.model] if settings.surrogate.asks_model else []
    models = knowing_models(tuple(dict.fromkeys(names)))
    asked_of = {model.name: [name for name in settings.goal.names if name in model.properties] for model in models}
    return remarks_on(models, asked_of, settings.conditions)
