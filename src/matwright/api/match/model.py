"""The trained matcher: patterns and crystals into one space, read from and written to a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from matwright.api.models import CARD_FILE, MODEL_FILE, find_model
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.progress import Progress, silent
from matwright.serialization import atomic_write_bytes, hash_file, read_json, write_json

if TYPE_CHECKING:
    from matwright.models.contrastive import ContrastiveMatcher
    from matwright.physics.diffraction.peaks import Peaks

SHIPPED_MATCHER = "mp-matcher"
FORMAT, SCHEMA = "matwright pattern matcher", 1
WEIGHTS_FILE, LIBRARY_FILE = "model.safetensors", "library.npz"
GRAPH_SHARE = 0.1
"""Share of the graph's state in a crystal's vector; the rest is the state of its ideal pattern."""

_CHUNK = 128
__all__ = ["CARD_FILE", "SHIPPED_MATCHER", "Matcher", "load_matcher", "save_matcher"]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Matcher:
    """A trained matcher in evaluation mode.

    Attributes:
        model: pattern and graph encoder.
        hash: of the weights; vectors of matchers with different hashes cannot be compared.
        graph_share: weight of the graph's state in the vector of a crystal, 0..1.
        facts: what made it and how good it is.
    """

    model: ContrastiveMatcher
    hash: str
    graph_share: float
    facts: Mapping[str, Any]

    def query(self, patterns: NDArray[np.float64]) -> NDArray[np.float32]:
        """(n, width) unit vectors of measured patterns (n, N_POINTS), background subtracted."""
        import torch  # heavy: behind its door

        from matwright.training.compute import fast_mode

        with fast_mode(), torch.no_grad():
            states, _ = self.model.measured(torch.from_numpy(patterns.astype(np.float32)))
        return np.asarray(states.numpy())

    def embed(
        self, crystals: Sequence[Crystal], peaks: Sequence[Peaks], *, progress: Progress | None = None
    ) -> NDArray[np.float32]:
        """(n, width) vectors of crystals; the dot product with that of a query is their similarity.

        Raises:
            InputError: two atoms of a crystal coincide.
        """
        import torch  # heavy: behind its door

        from matwright.models.match_batch import ideal_patterns
        from matwright.training.compute import fast_mode

        listener = progress or silent()
        listener.start("embedding crystals", len(crystals))
        parts = []
        with fast_mode(), torch.no_grad():
            for start in range(0, len(crystals), _CHUNK):
                some = slice(start, start + _CHUNK)
                graphs = self.crystal_states(crystals[some])
                ideal = self.model.measured(ideal_patterns(peaks[some]))[0].numpy()
                parts.append(self.graph_share * graphs + (1 - self.graph_share) * ideal)
                listener.advance(len(crystals[some]))
        listener.finish()
        return np.concatenate(parts)

    def crystal_states(self, crystals: Sequence[Crystal]) -> NDArray[np.float32]:
        """(n, width) unit states of crystals by their graphs alone.

        Raises:
            InputError: two atoms of a crystal coincide.
        """
        import torch  # heavy: behind its door

        from matwright.graphs.batch import collate
        from matwright.graphs.builder import build_graph
        from matwright.training.compute import fast_mode

        settings, parts = self.model.config.graph.graph, []
        with fast_mode(), torch.no_grad():
            for start in range(0, len(crystals), _CHUNK):
                graphs = collate([build_graph(crystal, settings) for crystal in crystals[start : start + _CHUNK]])
                parts.append(self.model.graphs(graphs)[0].numpy())
        return np.concatenate(parts)


def save_matcher(model: ContrastiveMatcher, folder: Path, *, graph_share: float, facts: Mapping[str, Any]) -> None:
    """Write `model.safetensors` (half precision) and then `model.json` into an existing folder."""
    from safetensors.torch import save  # heavy: behind its door

    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in model.state_dict().items()
    }
    atomic_write_bytes(folder / WEIGHTS_FILE, save(tensors))
    about = {"format": FORMAT, "schema": SCHEMA, "config": model.config.as_dict(), "graph_share": graph_share}
    write_json(folder / MODEL_FILE, {**about, "facts": facts})


def load_matcher(name_or_path: str | Path = SHIPPED_MATCHER) -> Matcher:
    """The matcher in a folder, or a shipped one by name.

    Raises:
        InputError: there is none, it is broken, or the model is of another kind.
    """
    # heavy (torch): behind their door
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from matwright.models.contrastive import ContrastiveConfig, ContrastiveMatcher

    folder = find_model(name_or_path)
    about = read_json(folder / MODEL_FILE)
    if not isinstance(about, dict) or about.get("format") != FORMAT or about.get("schema") != SCHEMA:
        raise InputError(f"{folder} does not hold a pattern matcher of this version of matwright")
    with torch.random.fork_rng(devices=[]):  # initial weights are thrown away: leave the caller's random state
        model = ContrastiveMatcher(ContrastiveConfig.from_dict(about["config"]))
    path = folder / WEIGHTS_FILE
    try:
        model.load_state_dict(load_file(path))
        share = float(about["graph_share"])
    except (SafetensorError, OSError, RuntimeError, KeyError, TypeError, ValueError) as problem:
        raise InputError(f"{path} does not hold the weights that {MODEL_FILE} describes") from problem
    model.float().eval().requires_grad_(requires_grad=False)
    return Matcher(model=model, hash=hash_file(path), graph_share=share, facts=about.get("facts") or {})
