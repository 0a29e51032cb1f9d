"""What goes into a run beside its settings: models, tables, references, each with a content hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, final

from matwright.api.design.novelty import Library, read_known
from matwright.api.design.settings import DesignSettings
from matwright.api.design.surrogate import Predictor, Surrogates, load_surrogates
from matwright.api.models import MODEL_FILE, model_hash
from matwright.data.hull import Hull
from matwright.data.references import ElementReferences, load_references
from matwright.elements import SYMBOLS
from matwright.errors import InputError
from matwright.generation.interface import Generator
from matwright.physics.chemistry import NOBLE_GASES
from matwright.serialization import hash_file

_TABLES = ("mp_hull_stable.npz", "mp_known.npz")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Ingredients:
    """Everything loaded, ready to run.

    Attributes:
        settings: the user's, with the elements that nothing is known about forbidden.
        generator, surrogates, library, hull: the parts of the pipeline.
        references: energies of the elements on the potential's scale.
        hashes: name → content hash of what was loaded.
    """

    settings: DesignSettings
    generator: Generator
    surrogates: Surrogates
    library: Library
    hull: Hull
    references: ElementReferences
    hashes: Mapping[str, Any]


def gather(
    settings: DesignSettings, *, generator: Generator | None = None, predictors: Mapping[str, Predictor] | None = None
) -> Ingredients:
    """Load what the settings name, or take what is given, and check that it fits the demands; nothing is written.

    Raises:
        InputError: a target nobody can predict, an element nobody knows, a model or folder that is not there.
    """
    hull = Hull.load()
    references = load_references(settings.potential)
    checked = _within_knowledge(settings, hull.elements & references.energies.keys())
    own = read_known(settings.known) if settings.known is not None else []
    library = Library(own, only_new_compositions=settings.new_compositions)
    surrogates = _surrogates(settings, predictors, hull)
    surrogates.check(settings.targets)
    source = generator if generator is not None else _load_generator(settings.generator)
    source.sample(1, constraints=checked.constraints, seed=settings.seed)  # contradictions show before a folder is made
    return Ingredients(
        settings=checked,
        generator=source,
        surrogates=surrogates,
        library=library,
        hull=hull,
        references=references,
        hashes={
            **_table_hashes(settings),
            **({settings.generator: _model_hash(settings.generator)} if generator is None else {}),
            **({name: _model_hash(name) for name in settings.models} if predictors is None else {}),
        },
    )


def _surrogates(settings: DesignSettings, given: Mapping[str, Predictor] | None, hull: Hull) -> Surrogates:
    if given is None:
        return load_surrogates(settings.models, settings.conditions, hull)
    if settings.conditions:
        raise InputError("conditions are for the models that the settings name; given predictors bring their own")
    return Surrogates(given, hull)


def _load_generator(name: str) -> Generator:
    from matwright.api.generate import load_generator  # heavy (torch): behind its door

    return load_generator(name)


def _within_knowledge(settings: DesignSettings, known: frozenset[int]) -> DesignSettings:
    """Forbid elements without hull or reference, and noble gases; refuse where the user asks for one of them.

    Raises:
        InputError: an element that is asked for cannot be judged.
    """
    constraints = settings.constraints
    usable = known if settings.thresholds.chemistry.noble_gases else known - NOBLE_GASES
    wanted = constraints.required | constraints.allowed | frozenset(constraints.formula or ())
    missing = sorted(wanted - usable)
    if missing:
        names = ", ".join(SYMBOLS[number] for number in missing)
        raise InputError(f"nothing is known of the stability of compounds with {names}; leave it out of --elements")
    if constraints.allowed and not constraints.allowed - constraints.forbidden:
        raise InputError("every element of --elements is excluded by --exclude; nothing is left to build from")
    return settings.excluding(frozenset(range(1, len(SYMBOLS))) - usable)


def _table_hashes(settings: DesignSettings) -> dict[str, str]:
    tables = resources.files("matwright.data") / "tables"
    found: dict[str, str] = {}
    for name in (*_TABLES, f"element_references_{settings.potential}.json"):
        with resources.as_file(tables / name) as path:
            found[name] = hash_file(path)
    return found


def _model_hash(name: str) -> str | None:
    """Hash of a run folder's or shipped model's weights and settings; None for a generator without weights."""
    shipped = resources.files("matwright") / "shipped" / name
    folder = Path(name) if Path(name).is_dir() else Path(str(shipped))
    return model_hash(folder) if (folder / MODEL_FILE).is_file() else None
