"""The recurrent network that writes a symmetry-true sequence from a latent vector (E24–E25).

A sequence is written in five acts, so that chemistry is settled before symmetry and symmetry before geometry:

1. the reduced formula, one (element, count) a step, from electropositive to electronegative;
2. the number of formula units in the primitive cell and the space group;
3. the Wyckoff letter of each orbit, element by element;
4. the shape of the cell, known to the network relative to the volumes of the elements;
5. the free coordinates, orbit by orbit: the cell and all positions are known, so that a sampler can see collisions.

Every act is a small method that maps hidden states to logits or density parameters. `likelihood` calls them on whole
padded sequences (teacher forcing), `sampler` step by step; both go through the same masks, so that a sampled
sequence has the log-probability it was drawn with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

import torch
from torch import Tensor, nn

from matwright.errors import InputError
from matwright.generation.backbone import Backbone, MemoryState, memory
from matwright.generation.catalogue import WyckoffCatalogue
from matwright.generation.densities import (
    COORDINATE_WIDTH,
    SHAPE_WIDTH,
    bounded_width,
    circle_grid,
)
from matwright.generation.prior import LatentFlow
from matwright.generation.vocabulary import Vocabulary

FORBIDDEN = -1e9
"""Logit of a masked choice; finite, so that a row without any choice gives no NaN."""
N_WAVES = 4
CONTEXT_WIDTH, GROUP_WIDTH = 96, 48
CELL_WIDTH = CONTEXT_WIDTH + GROUP_WIDTH
CHARGE_WIDTH = 16


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderConfig:
    """Sizes of the decoder.

    Attributes:
        latent: dimensions of z.
        element_width, position_width: embeddings of elements and Wyckoff positions.
        formula_width, structure_width, geometry_width: hidden units of the three LSTMs (acts 1, 3 and 5).
        head_width: hidden units of the small networks in front of each choice.
        coordinate_components, shape_components: components of the mixture densities.
        dropout: share of hidden units dropped in training, 0..1.
        latent_in_cell: whether z is told to the cell and the coordinates too, and not only through the formula.
        optional_latent: whether the decoder also writes without a latent: a learned vector stands for "no latent".
        prior_layers, prior_width: coupling layers and hidden units of the flow that maps u ~ N(0, I) to latents; 0
            layers: the latent is u itself.
        backbone: what the three memories are.
    """

    latent: int = 16
    element_width: int = 64
    position_width: int = 64
    formula_width: int = 160
    structure_width: int = 256
    geometry_width: int = 192
    head_width: int = 128
    coordinate_components: int = 24
    shape_components: int = 12
    dropout: float = 0.25
    latent_in_cell: bool = False
    optional_latent: bool = False
    prior_layers: int = 0
    prior_width: int = 128
    backbone: Backbone = Backbone.LSTM

    def __post_init__(self) -> None:
        if self.backbone not in list(Backbone):
            raise InputError(f"the backbone is {' or '.join(Backbone)}, found {self.backbone!r}")
        object.__setattr__(self, "backbone", Backbone(self.backbone))  # a file holds its name


def waves(coords: Tensor) -> Tensor:
    """(…, n_dims · 2 · N_WAVES) sines and cosines of fractional coordinates (…, n_dims)."""
    angle = 2 * torch.pi * coords[..., None] * torch.arange(1, N_WAVES + 1)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).flatten(-2)


def masked(logits: Tensor, mask: Tensor) -> Tensor:
    """The logits with every forbidden choice at `FORBIDDEN`."""
    return logits.masked_fill(~mask, FORBIDDEN)


def _head(n_in: int, width: int, n_out: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, width), nn.SiLU(), nn.Dropout(dropout), nn.Linear(width, n_out))


@final
class SequenceDecoder(nn.Module):
    """p(sequence | z): the policy whose choices and log-probabilities reinforcement learning can use (E28–E31)."""

    def __init__(self, config: DecoderConfig, vocabulary: Vocabulary, catalogue: WyckoffCatalogue) -> None:
        super().__init__()
        self.config, self.vocabulary, self.catalogue = config, vocabulary, catalogue
        c, drop, head = config, config.dropout, config.head_width
        cell_width = CELL_WIDTH + (c.latent if c.latent_in_cell else 0)
        features = torch.from_numpy(vocabulary.features())
        self.register_buffer("element_features", features, persistent=False)
        self.register_buffer("position_features", _by_index(catalogue, catalogue.features), persistent=False)
        self.register_buffer("position_site", _by_index(catalogue, catalogue.site), persistent=False)
        self.element_linear = nn.Linear(features.shape[1], c.element_width)
        self.element_own = nn.Embedding(len(vocabulary) + 1, c.element_width)
        self.charge = nn.Linear(c.element_width, CHARGE_WIDTH, bias=False)
        self.count_embedding = nn.Embedding(vocabulary.max_atoms + 1, 32)
        self.position_linear = nn.Linear(catalogue.features.shape[-1], c.position_width)
        self.position_own = nn.Embedding(catalogue.n_positions, c.position_width)
        self.site_embedding = nn.Embedding(catalogue.n_sites, c.position_width)
        self.group_embedding = nn.Embedding(231, GROUP_WIDTH)
        formula_in = c.element_width + 32 + 2 * CHARGE_WIDTH + 1 + c.latent
        self.formula_start = nn.Linear(c.latent, 2 * c.formula_width)
        self.formula_memory = self._memory(formula_in, c.formula_width)
        self.element_query = _head(c.formula_width, head, c.element_width + 1, drop)
        self.element_bias = nn.Parameter(torch.zeros(len(vocabulary)))
        self.count_head = _head(c.formula_width + c.element_width + 2 * CHARGE_WIDTH, head, vocabulary.max_atoms, drop)
        self.balance_head = nn.Sequential(nn.Linear(CHARGE_WIDTH, 32), nn.SiLU(), nn.Linear(32, 1))
        context = c.formula_width + c.latent
        self.unit_head = _head(context, head, vocabulary.max_atoms, drop)
        self.group_head = _head(context + 32, head, 231, drop)
        self.structure_context = _head(context + 32 + GROUP_WIDTH, head, CONTEXT_WIDTH, drop)
        self.structure_start = nn.Linear(CONTEXT_WIDTH + c.latent, 2 * c.structure_width)
        structure_in = 2 * c.element_width + c.position_width + 64 + cell_width
        self.structure_memory = self._memory(structure_in, c.structure_width)
        self.letter_query = _head(c.structure_width, head, c.position_width, drop)
        self.position_bias = nn.Embedding(catalogue.n_positions, 1)
        self.shape_head = _head(c.structure_width + cell_width, head, 13 * c.shape_components, drop)
        self.frame = nn.Sequential(nn.Linear(c.structure_width + cell_width + 6, head), nn.SiLU(), nn.Dropout(drop))
        self.geometry_start = nn.Linear(head, 2 * c.geometry_width)
        geometry_in = 2 * (c.element_width + c.position_width) + 6 * N_WAVES + head
        self.geometry_memory = self._memory(geometry_in, c.geometry_width)
        self.site_head = nn.Sequential(
            nn.Linear(c.geometry_width + c.position_width + c.element_width, head), nn.SiLU(), nn.Dropout(drop)
        )
        self.coordinate_heads = nn.ModuleList(
            _head(head + 2 * N_WAVES * axis, head, 3 * c.coordinate_components, 0.0) for axis in range(3)
        )
        self.drop = nn.Dropout(drop)
        self.no_latent = nn.Parameter(torch.zeros(c.latent)) if c.optional_latent else None
        self.prior = LatentFlow(c.latent, layers=c.prior_layers, width=c.prior_width)
        self._initialise()

    def _memory(self, n_in: int, width: int) -> nn.Module:
        longest = 1 + max(self.vocabulary.max_atoms, self.vocabulary.max_elements)
        return memory(self.config.backbone, n_in, width, longest=longest, dropout=self.config.dropout)

    def _initialise(self) -> None:
        for embedding in (self.element_own, self.position_own, self.site_embedding, self.group_embedding):
            nn.init.normal_(embedding.weight, std=0.1)
        nn.init.zeros_(self.position_bias.weight)

    # The latent ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def draw_latents(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, latent) latents of the prior: u ~ N(0, I) through the flow."""
        return self.prior.to_latent(torch.randn(n, self.config.latent, generator=generator))

    @torch.no_grad()
    def without_latent(self, n: int, _: torch.Generator) -> Tensor:
        """(n, latent) copies of the vector that stands for "no latent".

        Raises:
            InputError: the decoder has not learned to write without a latent.
        """
        if self.no_latent is None:
            raise InputError("this generator has not learned to write without a latent")
        return self.no_latent.expand(n, -1)

    def free_latents(self, n: int, generator: torch.Generator) -> Tensor:
        """(n, latent) what free samples are decoded from: no latent where the decoder can do without, else the prior.

        A latent that holds a whole crystal leaves the decoder nothing to choose, so that a draw of the prior is only as
        good as the prior, and demands on elements would contradict it. Without a latent the decoder chooses itself.
        """
        return self.draw_latents(n, generator) if self.no_latent is None else self.without_latent(n, generator)

    # Tables that do not depend on the sequence -------------------------------------------------------------------

    def element_table(self) -> Tensor:
        """(n_elements + 1, element_width); the last row stands for "no element"."""
        learned = self.element_linear(cast(Tensor, self.element_features))
        return torch.cat([learned, torch.zeros_like(learned[:1])]) + self.element_own.weight

    def position_table(self) -> Tensor:
        """(n_positions, position_width)."""
        described = self.position_linear(cast(Tensor, self.position_features))
        return cast(Tensor, described + self.position_own.weight + self.site_embedding(self.position_site))

    # Act 1: the formula ------------------------------------------------------------------------------------------

    def start_formula(self, z: Tensor) -> MemoryState:
        """State of the formula memory before the first step."""
        hidden, cell = self.formula_start(z).tanh()[None].chunk(2, dim=-1)
        return hidden.contiguous(), cell.contiguous()

    def formula_input(self, element: Tensor, count: Tensor, charge: Tensor, atoms: Tensor, z: Tensor) -> Tensor:
        """(…, formula_in) what the memory reads at one step.

        Args:
            element: (…, element_width) embedding of the element placed last, count (…) its count.
            charge: (…, CHARGE_WIDTH) running sum of the charges, atoms (…) that of the counts.
            z: (…, latent).
        """
        size = atoms[..., None].float()
        return torch.cat(
            [element, self.count_embedding(count), charge / 4, charge / size.clamp_min(1), size / 10, z], dim=-1
        )

    def element_logits(self, memory: Tensor, elements: Tensor) -> Tensor:
        """(…, n_elements + 1) from memory outputs (…, formula_width); the last logit ends the formula."""
        query = self.element_query(memory)
        scores = query[..., :-1] @ elements[:-1].T / 4 + self.element_bias
        return torch.cat([scores, query[..., -1:]], dim=-1)

    def count_logits(self, memory: Tensor, element: Tensor, charge: Tensor) -> Tensor:
        """(n, max_atoms) for the count of an embedded element (n, element_width), given the charge placed so far.

        Beside a plain head, each count is judged by the sum of charges it leads to: neutrality in learned units.
        """
        own = self.charge(element)
        plain = self.count_head(torch.cat([memory, element, charge / 4, own], dim=-1))
        number = torch.arange(1, self.vocabulary.max_atoms + 1)[:, None]
        balance = (charge[:, None, :] + number * own[:, None, :]) / 4
        return cast(Tensor, plain + self.balance_head(balance)[..., 0])

    # Act 2: formula units and space group ------------------------------------------------------------------------

    def unit_logits(self, context: Tensor) -> Tensor:
        """(n, max_atoms) from the context (n, formula_width + latent) of the finished formula."""
        return cast(Tensor, self.unit_head(context))

    def group_logits(self, context: Tensor, units: Tensor) -> Tensor:
        """(n, 231)."""
        return cast(Tensor, self.group_head(torch.cat([context, self.count_embedding(units)], dim=-1)))

    # Act 3: the positions ----------------------------------------------------------------------------------------

    def cell_context(self, context: Tensor, units: Tensor, group: Tensor) -> Tensor:
        """(n, CELL_WIDTH or more) what every later step is told: formula, space group and, where configured, latent."""
        symmetry = self.group_embedding(group)
        known = self.structure_context(torch.cat([context, self.count_embedding(units), symmetry], dim=-1))
        latent = [context[:, self.config.formula_width :]] if self.config.latent_in_cell else []
        return torch.cat([known, symmetry, *latent], dim=-1)

    def start_structure(self, cell: Tensor, z: Tensor) -> MemoryState:
        """State of the structure memory before the first step."""
        hidden, state = self.structure_start(torch.cat([cell[:, :CONTEXT_WIDTH], z], -1)).tanh()[None].chunk(2, dim=-1)
        return hidden.contiguous(), state.contiguous()

    def structure_input(
        self, element: Tensor, position: Tensor, upcoming: Tensor, remaining: Tensor, total: Tensor
    ) -> Tensor:
        """(…, structure_in − width of the cell context) what the memory reads at one step, without the cell context.

        Args:
            element, position: the orbit placed last, embedded.
            upcoming: embedding of the element that comes now.
            remaining, total: (…) its atoms still to place and in all.
        """
        parts = [element, position, upcoming]
        return torch.cat([*parts, self.count_embedding(remaining), self.count_embedding(total)], dim=-1)

    def letter_logits(self, memory: Tensor, group: Tensor, positions: Tensor) -> Tensor:
        """(…, n_letters) by the match of a query with each position's embedding; group (…)."""
        index = self.catalogue.index[group]
        query = self.letter_query(memory)
        match = (positions[index] @ query[..., None])[..., 0] / 4
        return cast(Tensor, match + self.position_bias.weight[index, 0])

    # Act 4: the cell ---------------------------------------------------------------------------------------------

    def shape_density(self, memory: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (n, k), means and widths (n, k, 6) of the standardised cell shape, from the last memory output."""
        k = self.config.shape_components
        raw = self.shape_head(torch.cat([memory, cell], dim=-1))
        mean, width = raw[:, k:].view(-1, k, 12).chunk(2, dim=-1)
        return raw[:, :k], mean, bounded_width(width, SHAPE_WIDTH)

    # Act 5: the coordinates --------------------------------------------------------------------------------------

    def frame_context(self, memory: Tensor, cell: Tensor, shape: Tensor) -> Tensor:
        """(n, head_width) what every coordinate is told: all positions (in `memory`), the formula and the cell."""
        return cast(Tensor, self.frame(torch.cat([memory, cell, shape.clamp(-6, 6)], dim=-1)))

    def start_geometry(self, frame: Tensor) -> MemoryState:
        """State of the geometry memory before the first step."""
        hidden, state = self.geometry_start(frame).tanh()[None].chunk(2, dim=-1)
        return hidden.contiguous(), state.contiguous()

    def geometry_input(
        self, element: Tensor, position: Tensor, coords: Tensor, upcoming: Tensor, target: Tensor, frame: Tensor
    ) -> Tensor:
        """(…, geometry_in) what the memory reads at one step.

        Args:
            element, position, coords: the orbit placed last: embedded, and its free coordinates (…, 3).
            upcoming, target: element and position of the orbit that comes now, embedded.
            frame: (…, head_width) from `frame_context`.
        """
        return torch.cat([element, position, waves(coords), upcoming, target, frame], dim=-1)

    def site_context(self, memory: Tensor, position: Tensor, element: Tensor) -> Tensor:
        """(n, head_width) what the coordinates of one orbit depend on."""
        return cast(Tensor, self.site_head(torch.cat([memory, position, element], dim=-1)))

    def coordinate_density(self, site: Tensor, previous: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weights, means and widths (n, n_components) of the next free coordinate after `previous` (n, axis)."""
        known = torch.cat([site, waves(previous)], dim=-1) if previous.shape[1] else site
        logits, mean, width = self.coordinate_heads[previous.shape[1]](known).chunk(3, dim=-1)
        return logits, circle_grid(logits.shape[-1]) + 0.1 * mean, bounded_width(width - 1, COORDINATE_WIDTH)


def _by_index(catalogue: WyckoffCatalogue, table: Tensor) -> Tensor:
    """(n_positions, …) rows of a (231, n_letters, …) table by running number; row 0 is empty."""
    flat = table.new_zeros((catalogue.n_positions, *table.shape[2:]))
    present = catalogue.index > 0
    flat[catalogue.index[present]] = table[present]
    return flat


def shape_dimensions(group: Tensor) -> Tensor:
    """(n, 6) bool: which of log volume, log b/a, log c/a and the angles are free in the group's crystal system."""
    active = torch.zeros(len(group), 6, dtype=torch.bool)
    active[:, 0] = True
    active[:, 1] = group < 75
    active[:, 2] = group < 195
    active[:, 4] = group < 16
    active[:, 3] = active[:, 5] = group < 3
    return active
