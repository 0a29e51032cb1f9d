"""From drawn sequences to rewards in one pass: decode, test contacts, predict, add up; no Python per crystal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.contacts import contacts
from matwright.generation.rl.archive import Archive
from matwright.generation.rl.diversity import bucket_keys
from matwright.generation.rl.reward import Reward, RewardTerms, Scale
from matwright.generation.rl.surrogate import Surrogate
from matwright.generation.sampler import Rollout
from matwright.generation.wyckoff.decode import CrystalArrays, decode_arrays
from matwright.materials.target import Target
from matwright.models.interface import Prediction


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """What became of a rollout of n sequences.

    Attributes:
        drawn: n.
        rows: (m,) the complete sequences whose angles can meet, of the rollout: those that have a reward.
        valid: (m,) bool, passed the contact rules and could be judged.
        reward: (m,) E28; the floor where not valid.
        crystals: of the `passed` rows; passed (m,) bool, those that passed the contact rules.
        predictions, terms: of the crystals.
    """

    drawn: int
    rows: NDArray[np.int64]
    valid: NDArray[np.bool_]
    reward: NDArray[np.float64]
    passed: NDArray[np.bool_]
    crystals: CrystalArrays
    predictions: Mapping[str, Prediction]
    terms: RewardTerms


@final
class Scorer:
    """Scores rollouts of one generator for one set of targets.

    Args:
        trained: whose vocabulary, scaling and contact rules hold.
        surrogate: predicts the properties.
        reward: E28.
    """

    def __init__(self, trained: TrainedGenerator, surrogate: Surrogate, reward: Reward) -> None:
        self._trained, self._surrogate, self.reward = trained, surrogate, reward

    def __call__(self, rollout: Rollout) -> Scored:
        """The rewards of a rollout.

        Raises:
            InputError: not one of its sequences is a crystal that passes the contact rules.
        """
        rows, passed, crystals = decoded(self._trained, rollout)
        predictions = self._surrogate.predict(crystals)
        terms = self.reward(predictions)
        reward = np.full(len(rows), self.reward.floor)
        reward[passed] = terms.total
        valid = passed.copy()
        valid[passed] = terms.total > self.reward.floor
        return Scored(
            drawn=len(rollout.complete),
            rows=rows,
            valid=valid,
            reward=reward,
            passed=passed,
            crystals=crystals,
            predictions=predictions,
            terms=terms,
        )


def decoded(trained: TrainedGenerator, rollout: Rollout) -> tuple[NDArray[np.int64], NDArray[np.bool_], CrystalArrays]:
    """Rows of the rollout that are whole sequences, which of them pass the contact rules, and those crystals.

    Raises:
        InputError: none passes.
    """
    complete = rollout.complete.nonzero()[:, 0]
    arrays, closed = trained.packer.arrays(rollout.batch.select(complete))
    if len(closed):
        crystals = decode_arrays(arrays)
        passed = contacts(crystals).pass_rules(trained.rules)
        if passed.any():
            return complete.numpy()[closed], passed, crystals.select(np.flatnonzero(passed))
    raise InputError(
        f"not one of {len(rollout.complete)} sequences is a crystal whose atoms keep apart under these constraints; "
        "allow more elements, atoms or space groups"
    )


def measure_scales(
    trained: TrainedGenerator, surrogate: Surrogate, rollout: Rollout, targets: Sequence[Target]
) -> dict[str, Scale]:
    """What each target's property looks like among the crystals of a rollout of the untuned generator.

    Raises:
        InputError: none of them is a crystal, or none has a prediction.
    """
    predictions = surrogate.predict(decoded(trained, rollout)[2])
    return {target.name: Scale.of(predictions[target.name].mean) for target in targets}


def archived(scored: Scored, rollout: Rollout, step: int) -> Archive:
    """The valid candidates of one step as an archive, several a bucket, in the order drawn."""
    chosen = np.flatnonzero(scored.valid[scored.passed])
    rows = torch.from_numpy(scored.rows[scored.passed][chosen])
    terms, batch = scored.terms, rollout.batch.select(rows)
    columns: dict[str, NDArray[np.float64]] = {
        "step": np.full(len(chosen), float(step)),
        "reward": terms.total[chosen],
        "hit": terms.hit[chosen].astype(np.float64),
        "target_term": terms.target[chosen],
        "met_term": terms.met[chosen],
        "stability_term": terms.stability[chosen],
        "uncertainty_term": terms.uncertainty[chosen],
    }
    for place in range(terms.objectives.shape[1]):
        columns[f"objective_{place}"] = terms.objectives[chosen, place]
    for name, prediction in scored.predictions.items():
        columns[name] = prediction.mean[chosen]
        columns[f"{name}_std"] = prediction.std[chosen]
        columns["domain_score"] = prediction.domain_score[chosen]
    return Archive(batch=batch, z=rollout.z[rows], keys=bucket_keys(batch), columns=columns)
