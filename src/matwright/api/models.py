"""Finding trained property models: the ones that ship with the package, and run folders."""

from __future__ import annotations

from pathlib import Path

from matwright.errors import InputError
from matwright.materials.properties import nearest_hint
from matwright.serialization import hash_file, hash_json

SHIPPED_FOLDER = Path(__file__).resolve().parent.parent / "shipped"
MODEL_FILE = "model.json"
CARD_FILE = "card.md"


def shipped_models() -> dict[str, Path]:
    """Return the folders of the models that ship with the package (predictors and generators), by name."""
    return {file.parent.name: file.parent for file in sorted(SHIPPED_FOLDER.glob(f"*/{MODEL_FILE}"))}


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
