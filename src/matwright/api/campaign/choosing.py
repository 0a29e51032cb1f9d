"""Which candidates a round takes: the surrogate learns from every record, and acquisition weighs what it expects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.campaign.features import Features
from matwright.api.campaign.ledger import Ledger
from matwright.api.campaign.proposers import Proposal
from matwright.api.campaign.settings import ChoiceSettings, SurrogateSettings
from matwright.campaign.acquisition import Acquisition, Belief, choose
from matwright.campaign.evaluator import Quantity
from matwright.campaign.ladder import Standing
from matwright.campaign.objective import Guess
from matwright.campaign.surrogate import LEAST, Labels, error_in_folds, learn
from matwright.materials.crystal import Crystal
from matwright.rng import derive_seed, generator

Array = NDArray[np.float64]
_PRIOR, _PRIOR_WEIGHT = 0.5, 5.0  # share of the decisive value's variance that a cheaper one is taken to explain


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something a round may spend an evaluation on.

    Attributes:
        address, crystal: of the candidate as it was proposed.
        place: the rung that it would climb.
        proposal: where it comes from, None for one that is a candidate already.
        known: the records that it has, one a rung.
        expected: what the surrogate expects: quantity → (mean, standard deviation).
    """

    address: str
    crystal: Crystal
    place: int
    proposal: Proposal | None = None
    known: Standing | None = None
    expected: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def options(ledger: Ledger, proposals: Sequence[Proposal], settings: ChoiceSettings) -> list[Option]:
    """What a round may choose from: new proposals, and where costs count those that may climb on."""
    fresh = [Option(address=one.address, crystal=one.crystal, place=0, proposal=one) for one in proposals]
    if not settings.cost_aware:
        return fresh
    return fresh + [
        Option(address=one.member.structure, crystal=one.member.crystal, place=len(one.records), known=one)
        for one in ledger.standings
        if 0 < len(one.records) < len(ledger.rungs) and not one.stopped and not ledger.is_open(one)
    ]


@final
class Chooser:
    """Chooses batches; it keeps nothing but the features that it has computed."""

    def __init__(
        self, choice: ChoiceSettings, surrogate: SurrogateSettings, seed: int, conditions: Sequence[str] = ()
    ) -> None:
        self._choice, self._surrogate, self._seed = choice, surrogate, seed
        self._features = Features(surrogate, conditions)

    def batch(self, ledger: Ledger, choices: Sequence[Option], n: int) -> list[Option]:
        """At most n of the options, the most wanted first; the same ledger and options give the same.

        While the surrogate has too little to learn from, the choice is random among the new ones.
        """
        number = ledger.rounds
        rng = generator(self._seed, "campaign", "choice", number)
        acquisition = self._choice.acquisition
        known = {} if acquisition.kind is Acquisition.RANDOM else _learnable(ledger)
        if not known or not choices:
            fresh = [option for option in choices if option.proposal is not None] or list(choices)
            return [fresh[place] for place in rng.permutation(len(fresh))[:n]]
        crystals = {option.address: option.crystal for option in choices}
        asked = self._features.of(crystals)
        guesses = {
            name: guess
            for name in ledger.goal.names
            if (guess := self._guess(ledger, known, choices, asked, name)) is not None
        }
        belief = self._belief(ledger, choices, asked, guesses)
        chosen = choose(belief, n, best=self._best(ledger), settings=acquisition, rng=rng)
        return [_told(choices[place], place, guesses) for place in chosen.tolist()]

    def _guess(
        self, ledger: Ledger, known: Mapping[str, Crystal], choices: Sequence[Option], asked: Array, name: str
    ) -> Guess | None:
        """What is expected of one quantity by the last rung that gives it; None where too little is known of it."""
        features = dict(zip(known, self._features.of(known), strict=True))
        predicted = dict(zip(known, self._features.baseline(known, name), strict=True))
        settings = self._surrogate
        giving = [place for place, rung in enumerate(ledger.rungs) if name in rung.evaluator.units]
        rows = [
            (
                features[one.member.structure],
                giving.index(place),
                one.records[place].values[name].value,
                predicted[one.member.structure],
            )
            for one in ledger.standings
            for place in giving
            if place < len(one.records) and name in one.records[place].values
        ]
        if len(rows) < LEAST:
            return None
        table, fidelity, values, below = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
        seed = derive_seed(self._seed, "campaign", "surrogate", ledger.rounds, name)
        plain = Labels(features=table, fidelity=fidelity, values=values)
        beyond = Labels(features=table, fidelity=fidelity, values=values - below)
        base = self._features.baseline({option.address: option.crystal for option in choices}, name)
        if not below.any() or error_in_folds(plain, settings.kind, seed=seed) < error_in_folds(
            beyond, settings.kind, seed=seed
        ):
            beyond, base = plain, np.zeros(len(choices))
        ask = learn(beyond, settings.kind, seed=seed, trees=settings.trees)
        guess, *lower = (
            _shifted(ask(asked, float(level)), base) for level in (len(giving) - 1, *range(len(giving) - 1))
        )
        return _informed(guess, lower, choices, giving, name, _surprise(ledger, giving, name))

    def _belief(self, ledger: Ledger, choices: Sequence[Option], asked: Array, guesses: Mapping[str, Guess]) -> Belief:
        goal = ledger.goal
        leading = goal.turned(guesses[goal.leading.name])
        others = len(goal.demands) > (0 if goal.leading.is_objective else 1)
        width = np.nanstd(asked, axis=0)
        place = np.nan_to_num((asked - np.nanmean(asked, axis=0)) / np.where(width > 0, width, 1.0))
        cost = None
        if self._choice.cost_aware:
            rungs = [ledger.seconds(rung) / _relevance(ledger, rung) for rung in range(len(ledger.rungs))]
            cost = np.array([max(rungs[option.place], 1e-9) for option in choices])
        return Belief(
            mean=leading.mean,
            std=leading.std,
            samples=leading.samples,
            place=place if self._choice.acquisition.diversity > 0 else None,
            cost=cost,
            feasible=goal.feasible(guesses, len(choices)) if others else None,
        )

    def _best(self, ledger: Ledger) -> float:
        """What is to be improved on: the bar of the leading demand, else the best merit, else the best of any rung."""
        bar = ledger.goal.bar()
        if bar is not None:
            return bar
        best = ledger.best
        merits = [ledger.goal.merit(one.values) for one in ledger.standings]
        return best if best is not None else max((one for one in merits if one is not None), default=0.0)


def _learnable(ledger: Ledger) -> dict[str, Crystal]:
    """Every candidate with a record, by address; nothing where there are too few leading values to learn from."""
    leading = ledger.goal.leading.name
    values = [record for one in ledger.standings for record in one.records if leading in record.values]
    return {
        one.member.structure: one.member.crystal for one in ledger.standings if one.records and len(values) >= LEAST
    }


def _shifted(guess: Guess, by: Array) -> Guess:
    samples = None if guess.samples is None else guess.samples + by
    return Guess(mean=guess.mean + by, std=guess.std, samples=samples)


def _informed(
    guess: Guess, lower: Sequence[Guess], choices: Sequence[Option], giving: Sequence[int], name: str, surprise: float
) -> Guess:
    """The guess, corrected by what cheaper rungs said of the candidate itself.

    A value at a lower fidelity is taken plus the difference that the surrogate expects between the two (Kennedy and
    O'Hagan, Biometrika 87, 1 (2000), with a scale of 1); a decisive value leaves no doubt.
    """
    mean, std = guess.mean.copy(), guess.std.copy()
    samples = None if guess.samples is None else guess.samples.copy()
    for place, option in enumerate(choices):
        known = _latest(option.known, giving, name)
        if known is None:
            continue
        level, value = known
        if level == len(giving) - 1:
            mean[place], std[place] = value.value, 0.0
        else:
            mean[place] = value.value + guess.mean[place] - lower[level].mean[place]
            std[place] = surprise
        if samples is not None:
            spread = samples[:, place] - guess.mean[place]
            scale = std[place] / guess.std[place] if guess.std[place] > 0 else 0.0
            samples[:, place] = mean[place] + spread * scale
    return Guess(mean=mean, std=std, samples=samples)


def _latest(standing: Standing | None, giving: Sequence[int], name: str) -> tuple[int, Quantity] | None:
    """The value of highest fidelity that a candidate has, with its place among those that give the quantity."""
    found = None
    for level, place in enumerate(giving):
        if standing is not None and place < len(standing.records) and name in standing.records[place].values:
            found = level, standing.records[place].values[name]
    return found


def _pairs(ledger: Ledger, place: int, name: str) -> Array:
    """(n, 2) values of a quantity by one rung and by the last one that gives it, of those that have both."""
    last = max(rung for rung, facts in enumerate(ledger.rungs) if name in facts.evaluator.units)
    rows = [
        (one.records[place].values[name].value, one.records[last].values[name].value)
        for one in ledger.standings
        if len(one.records) > last and name in one.records[place].values and name in one.records[last].values
    ]
    return np.array(rows, dtype=np.float64).reshape(len(rows), 2)


def _surprise(ledger: Ledger, giving: Sequence[int], name: str) -> float:
    """Standard deviation of the step from the last but one to the last fidelity; that of the values before any is."""
    if len(giving) < 2:
        return 0.0
    pairs = _pairs(ledger, giving[-2], name)
    if len(pairs) >= LEAST:
        return float((pairs[:, 1] - pairs[:, 0]).std())
    values = [one.values[name].value for one in ledger.standings if name in one.values]
    return float(np.std(values))


def _relevance(ledger: Ledger, place: int) -> float:
    """Which share of the variance of the decisive leading value a rung's own explains; 1 for one that gives another."""
    name = ledger.goal.leading.name
    giving = [rung for rung, facts in enumerate(ledger.rungs) if name in facts.evaluator.units]
    if place not in giving[:-1]:
        return 1.0
    pairs = _pairs(ledger, place, name)
    n = len(pairs) if len(pairs) >= 3 and (pairs.std(axis=0) > 0).all() else 0
    explained = _correlation(pairs) ** 2 if n else 0.0
    return (_PRIOR_WEIGHT * _PRIOR + n * explained) / (_PRIOR_WEIGHT + n)


def _correlation(pairs: Array) -> float:
    """Pearson's r of two columns that both vary."""
    centred = pairs - pairs.mean(axis=0)
    return float((centred[:, 0] * centred[:, 1]).mean() / (pairs[:, 0].std() * pairs[:, 1].std()))


def _told(option: Option, place: int, guesses: Mapping[str, Guess]) -> Option:
    expected = {name: (float(guess.mean[place]), float(guess.std[place])) for name, guess in guesses.items()}
    return Option(
        address=option.address,
        crystal=option.crystal,
        place=option.place,
        proposal=option.proposal,
        known=option.known,
        expected=expected,
    )
