"""Crystals and their powder patterns in one space: contrastive alignment with focal weighting (F1)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from matwright.errors import InputError
from matwright.graphs.batch import GraphBatch
from matwright.models.config import GemPpmConfig, HeadConfig, HeadKind
from matwright.models.encoder import Encoder
from matwright.models.match_batch import MatchBatch
from matwright.models.pattern_encoder import PatternEncoder, PatternEncoderConfig
from matwright.models.readout import Readout

_FIRST_SCALE, _LARGEST_SCALE = 14.0, 100.0  # 1 / temperature of the similarities


def graph_side(width: int = 64, layers: int = 3) -> GemPpmConfig:
    """The settings of the graph encoder: those of a property model whose one head is never built."""
    return GemPpmConfig(heads=(HeadConfig(name="match", kind=HeadKind.POINT),), width=width, layers=layers)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveConfig:
    """Sizes and choices of the matcher.

    Attributes:
        graph: of the graph encoder (its heads, conditions and fusion are not used).
        pattern: of the pattern encoder.
        width: of the common space.
        focus: γ of the focal weight (1 - p)^γ, at least 0; 0 weighs all pairs alike.
        local: weight of the local similarity in the loss, at least 0; 0 leaves it out.
        sharpness: of the soft assignment of peak tokens to atoms, above 0.
    """

    graph: GemPpmConfig = field(default_factory=graph_side)
    pattern: PatternEncoderConfig = field(default_factory=PatternEncoderConfig)
    width: int = 96
    focus: float = 1.0
    local: float = 0.5
    sharpness: float = 8.0

    def __post_init__(self) -> None:
        if self.width < 1 or self.focus < 0 or self.local < 0 or self.sharpness <= 0:
            raise InputError("width is at least 1, focus and local at least 0, sharpness above 0")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "graph": self.graph.as_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ContrastiveConfig:
        """The config written by `as_dict`.

        Raises:
            InputError: a name is unknown or missing, or a value is not allowed.
        """
        known = {entry.name for entry in fields(cls)}
        if set(values) != known:
            raise InputError(f"the settings of a matcher are {sorted(known)}, found {sorted(values)}")
        pattern = {**values["pattern"], "channels": tuple(values["pattern"]["channels"])}
        try:
            own = {"graph": GemPpmConfig.from_dict(values["graph"]), "pattern": PatternEncoderConfig(**pattern)}
            return cls(**{**values, **own})
        except (TypeError, ValueError) as error:
            raise InputError(f"the settings of the matcher cannot be read: {error}") from error


@final
class ContrastiveMatcher(nn.Module):
    """Graph encoder and pattern encoder whose states agree where pattern and crystal belong together.

    Three similarities are learned: whole graph with whole measured pattern (global), atoms with peak tokens (local),
    and measured with ideal pattern. A library keeps one vector a crystal: the sum of its graph's and its ideal
    pattern's states.
    """

    def __init__(self, config: ContrastiveConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.graph)
        self.readout = Readout(config.graph.width, config.graph.pooling, config.graph.dropout)
        self.graph_state = nn.Sequential(
            nn.Linear(self.readout.out_width, config.pattern.hidden),
            nn.SiLU(),
            nn.Linear(config.pattern.hidden, config.width),
        )
        self.atom_state = nn.Linear(config.graph.width, config.width)
        self.patterns = PatternEncoder(config.pattern, config.width)
        self.log_scale = nn.Parameter(torch.full((3,), _FIRST_SCALE).log())

    def graphs(self, batch: GraphBatch) -> tuple[Tensor, Tensor]:
        """Unit states of the crystals (n_crystals, width) and of their atoms (n_atoms, width)."""
        nodes = self.encoder(batch)
        whole = self.graph_state(self.readout(nodes, batch))
        return functional.normalize(whole, dim=1), functional.normalize(self.atom_state(nodes), dim=1)

    def measured(self, patterns: Tensor) -> tuple[Tensor, Tensor]:
        """Unit states (n, width) and unit tokens (n, n_tokens, width) of patterns (n, N_POINTS)."""
        state, tokens = self.patterns(patterns)
        return functional.normalize(state, dim=1), functional.normalize(tokens, dim=2)

    def loss(self, batch: MatchBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the scalar to minimise and its terms: global, local, ideal."""
        graphs, atoms = self.graphs(batch.graphs)
        n = len(graphs)
        states, tokens = self.measured(torch.cat([batch.measured, batch.ideal]))
        measured, ideal = states[:n], states[n:]
        scale = self.log_scale.exp().clamp(max=_LARGEST_SCALE)
        terms = {
            "global": focal_contrast(measured @ graphs.T * scale[0], self.config.focus),
            "ideal": focal_contrast(measured @ ideal.T * scale[1], self.config.focus),
        }
        loss = terms["global"] + terms["ideal"]
        if self.config.local > 0:
            similarity = local_similarity(atoms, batch.graphs, tokens[:n], self.config.sharpness)
            terms["local"] = focal_contrast(similarity * scale[2], self.config.focus)
            loss = loss + self.config.local * terms["local"]
        return loss, terms


def focal_contrast(logits: Tensor, focus: float) -> Tensor:
    """Mean of -(1 - p)^γ ln p over rows and columns of (n, n) logits whose diagonal holds the true pairs.

    p is the probability of the true partner among all of the batch: a pair that is already told apart from every
    other weighs nothing, one with look-alikes, the informative negatives, weighs most.
    """
    losses = []
    for some in (logits, logits.T):
        log_p = functional.log_softmax(some, dim=1).diagonal()
        losses.append((-((1.0 - log_p.exp()).clamp_min(1e-6) ** focus) * log_p).mean())
    return (losses[0] + losses[1]) / 2.0


def local_similarity(atoms: Tensor, batch: GraphBatch, tokens: Tensor, sharpness: float) -> Tensor:
    """(n_patterns, n_crystals) similarity of the parts.

    Each atom is softly assigned to the tokens of a pattern, s_a = ln(mean_t exp(β s_at)) / β, a maximum whose gradient
    is the soft assignment, and a crystal is as similar as its atoms are on average, so that neither the cell nor the
    number of atoms matters.

    Args:
        atoms: (n_atoms, width) unit states.
        batch: says which crystal an atom belongs to.
        tokens: (n_patterns, n_tokens, width) unit states.
        sharpness: β.
    """
    n_patterns, n_tokens, width = tokens.shape
    every = (atoms @ (sharpness * tokens).reshape(-1, width).T).view(len(atoms), n_patterns, n_tokens)
    met = (every.logsumexp(dim=2) - math.log(n_tokens)) / sharpness  # (n_atoms, n_patterns)
    sums = met.new_zeros(batch.n_crystals, n_patterns).index_add(0, batch.crystal, met)
    return (sums / batch.counts[:, None]).T
