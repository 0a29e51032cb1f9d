"""A campaign's beginning in its store: what it is, so that nobody goes on with it under other settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matwright.api.campaign.ledger import BEGAN
from matwright.api.campaign.settings import CampaignSettings
from matwright.api.models import MODEL_FILE, find_model, model_hash
from matwright.campaign.ladder import Rung
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.serialization import hash_file, to_plain


def begin(store: Store, settings: CampaignSettings, ladder: tuple[Rung, ...]) -> int:
    """The id of the campaign in its store, begun where it is new.

    Raises:
        InputError: the store holds it with other settings; the message names those that differ.
    """
    described = to_plain({
        **settings.described(),
        "proposer": _proposer(settings),
        "evaluators": _portable(settings),
        "files": _hashes(settings),
    })  # fmt: skip
    kept = store.campaign_settings(settings.name)
    if kept is not None and kept != described:
        names = ", ".join(sorted(name for name in {*kept, *described} if kept.get(name) != described.get(name)))
        raise InputError(
            f"{store.where} holds a campaign {settings.name!r} that was begun with other settings ({names}); give this "
            "one another name"
        )
    campaign = store.campaign(settings.name, described)
    if not any(event.kind == BEGAN for event in store.events(campaign)):
        store.note(campaign, BEGAN, {"targets": described["targets"], "rungs": _rungs(store, settings, ladder)})
    return campaign


def _rungs(store: Store, settings: CampaignSettings, ladder: tuple[Rung, ...]) -> list[Mapping[str, object]]:
    return [
        {
            "name": rung.name,
            "evaluator": store.register(rung.evaluator).id,
            "gate": [str(target) for target in rung.gate],
            "queue": f"{settings.name}/{rung.name}",
            "cost": rung.evaluator.cost if rung.cost is None else rung.cost,
            "stated": rung.cost is not None,
        }
        for rung in ladder
    ]


def _proposer(settings: CampaignSettings) -> dict[str, object]:
    """The proposer with files by their names; `files` holds what is in them."""
    chosen = settings.proposer
    generator = None if chosen.generator is None else Path(chosen.generator).name
    return {**to_plain(chosen), "pool": [path.name for path in chosen.pool], "generator": generator}


def _portable(settings: CampaignSettings) -> list[dict[str, Any]]:
    """The tables of the evaluators, with files as they are found from the store's folder."""
    where = _folder_from_store(settings)

    def found(name: str, value: Any) -> Any:
        named = name in ("model", "settings", "pseudopotentials") and (settings.folder / str(value)).exists()
        is_file = name == "table" or named  # a table of measurements is made later
        return str(where / value) if is_file else value

    return [{name: found(name, value) for name, value in table.items()} for table in settings.evaluators]


def _folder_from_store(settings: CampaignSettings) -> Path:
    """The file's folder as seen from the store's; where the store is a server, where it lies on this machine."""
    folder = settings.folder.absolute()
    if "://" in settings.store:
        return folder
    here = Path(settings.store).absolute().parent
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _hashes(settings: CampaignSettings) -> dict[str, str]:
    """Content hashes of the pool, and of the generator and the surrogate's model."""
    found = {path.name: hash_file(path) for path in settings.proposer.pool if path.is_file()}
    models = [settings.surrogate.model] if settings.surrogate.asks_model else []
    for name in [*models, *([settings.proposer.generator] if settings.proposer.generator else [])]:
        folder = Path(name) if (Path(name) / MODEL_FILE).is_file() else None
        try:
            found[Path(name).name] = model_hash(folder if folder is not None else find_model(name))
        except InputError:  # a generator without weights
            continue
    return found
