"""Searches latents whose crystals meet targets: draw, judge, fit a predictor on latents, follow its gradient, repeat.

The third way of E28's goals, beside policy gradients: the decoder stays as it is and u is moved. Every round decodes as
many sequences as the first, whose sequences are free samples (their latents are read by the recognition network where
the decoder wrote without one); what is handed out is ranked by the surrogate, not by the
predictor on latents, whose answers only say where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import numpy as np
import torch
from torch import Tensor

from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.clearance import ClearanceRule
from matwright.generation.coordinates import Room
from matwright.generation.latent_predictor import LatentPredictor, PredictorConfig, target_loss
from matwright.generation.masks import MaskRules
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.scoring import Scored, Scorer, archived
from matwright.generation.sampler import Latents, Rollout, sample_sequences
from matwright.rng import torch_generator


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How latents are searched.

    Attributes:
        rounds: gradient rounds after the first, which draws free samples; 0: sampling and ranking alone.
        draws: sequences decoded a round.
        starts: share of the judged latents, the best, from which a round starts.
        steps, rate: of Adam on u.
        outside: weight of leaving the shell |u|² ≤ latent; unsure: weight of the predictor's own disagreement.
        noise: standard deviation of what is added to a moved u, so that one start gives several crystals.
        predictor: of the predictor on latents.
    """

    rounds: int = 3
    draws: int = 512
    starts: float = 0.2
    steps: int = 40
    rate: float = 0.05
    outside: float = 1.0
    unsure: float = 0.5
    noise: float = 0.15
    predictor: PredictorConfig = field(default_factory=PredictorConfig)

    def __post_init__(self) -> None:
        if self.rounds < 0 or self.draws < 32 or not 0 < self.starts <= 1:
            raise InputError("a search takes at least 32 draws a round, 0 or more rounds and starts in (0, 1]")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RoundReport:
    """One round: draws, shares of them that are valid and that are hits by the surrogate, mean reward of the valid."""

    round: int
    drawn: int
    valid: float
    hit_rate: float
    reward: float


@final
class LatentSearch:
    """The search of one generator for the targets of one reward.

    Args:
        trained: the generator; rules: constraints that every crystal satisfies.
        scorer: judges rollouts by the surrogate.
        config: how; seed: of every draw.

    Attributes:
        latest: the valid crystals of the latest round in the order drawn; None before the first.
    """

    def __init__(
        self, trained: TrainedGenerator, rules: MaskRules, scorer: Scorer, config: SearchConfig, seed: int
    ) -> None:
        self._trained, self._rules, self._scorer, self._config, self._seed = trained, rules, scorer, config, seed
        self._room = Room(packer=trained.packer, rule=ClearanceRule())
        self._bases: list[Tensor] = []
        self._values: list[Tensor] = []
        self._rewards: list[Tensor] = []
        self.latest: Archive | None = None

    def run(self, keep: int, on_round: Callable[[RoundReport], None]) -> Archive:
        """The best different crystals of all rounds, at most `keep`; `on_round` is told of each.

        Raises:
            InputError: not one sequence of a round is a crystal.
        """
        found: Archive | None = None
        for number in range(self._config.rounds + 1):
            rollout = self._decode(self._base(number) if number else None, number)
            scored = self._scorer(rollout)
            self._remember(rollout, scored, read=number == 0)
            on_round(_report(number, scored))
            self.latest = new = archived(scored, rollout, number)
            found = new.best(keep) if found is None else found.merged(new, keep)
        if found is None or len(found) == 0:
            raise InputError("the search found no valid crystal; allow more elements, atoms or space groups")
        return found

    def _base(self, number: int) -> Tensor:
        """(draws, latent) u of a round after the first."""
        config, latent = self._config, self._trained.model.decoder.config.latent
        generator = torch_generator(self._seed, "latent-search", number)
        noise = torch.randn(config.draws, latent, generator=generator)
        bases, rewards = torch.cat(self._bases), torch.cat(self._rewards)
        best = rewards.topk(max(1, round(config.starts * len(rewards)))).indices
        start = bases[best[torch.randint(len(best), (config.draws,), generator=generator)]]
        predictor = LatentPredictor(bases, torch.cat(self._values), config.predictor, generator)
        return self._moved(start, predictor) + config.noise * noise

    def _moved(self, start: Tensor, predictor: LatentPredictor) -> Tensor:
        """The latents after gradient descent on the predicted distance to the targets."""
        config, reward = self._config, self._scorer.reward
        scales = [reward.scales[target.name] for target in reward.targets]
        base = start.clone().requires_grad_()
        optimiser = torch.optim.Adam([base], lr=config.rate)
        for _ in range(config.steps):
            predicted, spread = predictor(base)
            outside = ((base**2).mean(1) - 1).clamp_min(0)
            wanted = target_loss(predicted, reward.targets, scales)
            loss = wanted + config.unsure * spread.sum(1) + config.outside * outside
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimiser.step()
        return base.detach()

    def _decode(self, base: Tensor | None, number: int) -> Rollout:
        """The sequences of u, free samples without."""
        decoder = self._trained.model.decoder
        latents: Latents | None = None
        if base is not None:
            with torch.no_grad():
                z = decoder.prior.to_latent(base)

            def repeated(n: int, _: torch.Generator) -> Tensor:  # more are asked for where space groups are restricted
                return z.repeat(-(-n // len(z)), 1)[:n]

            latents = repeated

        return sample_sequences(
            decoder,
            self._rules,
            self._config.draws,
            temperatures=self._trained.temperatures,
            generator=torch_generator(self._seed, "latent-search-decode", number),
            room=self._room,
            latents=latents,
        )

    def _remember(self, rollout: Rollout, scored: Scored, *, read: bool) -> None:
        """Keep u, target properties and rewards of the crystals that could be judged.

        With `read`, latents that the decoder was not told are those that the recognition network reads.
        """
        judged = scored.valid[scored.passed]
        rows = torch.from_numpy(scored.rows[scored.passed][judged])
        model = self._trained.model
        with torch.no_grad():
            untold = read and model.decoder.no_latent is not None and len(rows) > 0
            z = model.encoder(rollout.batch.select(rows))[0] if untold else rollout.z[rows]
            base, _ = model.decoder.prior.to_base(z)
        values = [scored.predictions[target.name].mean[judged] for target in self._scorer.reward.targets]
        self._bases.append(base)
        self._values.append(torch.tensor(np.stack(values, axis=1), dtype=torch.float32))
        self._rewards.append(torch.tensor(scored.terms.total[judged], dtype=torch.float32))


def _report(number: int, scored: Scored) -> RoundReport:
    return RoundReport(
        round=number,
        drawn=scored.drawn,
        valid=float(scored.valid.sum() / scored.drawn),
        hit_rate=float((scored.terms.hit & scored.valid[scored.passed]).sum() / scored.drawn),
        reward=float(np.mean(scored.reward[scored.valid])) if scored.valid.any() else float("nan"),
    )
