"""Finding trained property models: the ones that ship with the package, and run folders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from matwright.errors import InputError
from matwright.materials.properties import KNOWN_PROPERTIES, nearest_hint
from matwright.physics.elasticity import COMPONENT_NAMES
from matwright.serialization import hash_file, hash_json, read_json

SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "shipped"
MODEL_FILE = "model.json"
CARD_FILE = "card.md"
SEARCH_MODELS = ("mp-crystal", "elastic", "band-gap")
"""What a search toward targets asks where it is told nothing else: several of them know the same property."""


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models that ship with the package (predictors and generators), by name."""
    return {file.parent.name: file.parent for file in sorted(SHIPPED_FOLDER.glob(f"*/{MODEL_FILE}"))}


def not_predicted(name: str, models: Mapping[str, Iterable[str]]) -> str:
    """Return the sentence for a property that no model in use predicts: what they know, and which shipped one does.

    Args:
        name: of the property, one of the known ones.
        models: what each model in use predicts.
    """
    properties = dict.fromkeys(one for some in models.values() for one in some if one not in COMPONENT_NAMES)
    verb = "knows" if len(models) == 1 else "know"
    said = f"no model here predicts {name}: {' and '.join(models)} {verb} {', '.join(properties)}; "
    given = " ".join(f"--model {one}" for one in models)
    shipped = [one for one, folder in shipped_models().items() if name in _properties(folder)]
    if shipped:
        others, do = ("models", "do") if len(shipped) > 1 else ("model", "does")
        quoted = " and ".join(f"`{one}`" for one in shipped)
        return f"{said}the shipped {others} {quoted} {do}: give --model {shipped[0]} {given}"
    unit = KNOWN_PROPERTIES[name].unit
    training = f"`matwright train TABLE.csv --structure cif --target {name}:{unit} --out my-model`"
    return f"{said}train one with {training} and give it with --model my-model {given}"


def _properties(folder: Path) -> list[str]:
    """The names of what a shipped model predicts; none for a generator."""
    return [spec["name"] for spec in read_json(folder / MODEL_FILE).get("specs", ())]


def model_hash(folder: Path) -> str:
    """Return a hex digest of the weights and settings of a trained model."""
    files = sorted(folder.rglob("*.safetensors")) + sorted(folder.glob(MODEL_FILE))
    return hash_json({str(file.relative_to(folder)): hash_file(file) for file in files})


def find_model(name_or_path: str | Path) -> Path:
    """Return the folder of a trained model: a shipped one by name, else a run folder.

    Raises:
        InputError: there is neither; the message names the shipped ones and how to train another.
    """
    shipped = shipped_models()
    if str(name_or_path) in shipped:
        return shipped[str(name_or_path)]
    folder = Path(name_or_path)
    if (folder / MODEL_FILE).is_file():
        return folder
    if folder.is_dir() and (folder / "run.json").is_file():
        raise InputError(f"the run in {folder} holds no finished model; finish it with: matwright train … --resume")
    known = ", ".join(shipped) or "none"
    raise InputError(
        f"there is no model {str(name_or_path)!r}{nearest_hint(str(name_or_path), shipped)}; shipped are {known}; "
        "any other is the folder that `matwright train TABLE … --out FOLDER` wrote"
    )
