"""Masks are respected exactly, samples repeat, and log-probabilities are those of teacher forcing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matwright.errors import InputError
from matwright.generation.checkpoint import TrainedGenerator
from matwright.generation.latent import LatentGenerator
from matwright.generation.likelihood import sequence_log_prob
from matwright.generation.masks import MaskRules, trace_masks
from matwright.generation.sampler import Temperatures, sample_sequences
from matwright.materials.constraints import NO_CONSTRAINTS, Constraints
from matwright.physics.geometry import min_distance

KNOWN = (3, 8, 9, 11, 12, 16, 17, 19, 20, 22, 34, 35, 37, 38, 40, 53, 56, 72)


@st.composite
def constraints(draw: st.DrawFn) -> Constraints:
    """Random demands that do not contradict each other by construction."""
    allowed = draw(st.sets(st.sampled_from(KNOWN), min_size=3, max_size=10))
    required = draw(st.sets(st.sampled_from(sorted(allowed)), max_size=2))
    forbidden = draw(st.sets(st.sampled_from(KNOWN), max_size=4)) - required
    low = draw(st.integers(1, 4))
    fewest = draw(st.integers(1, 2))
    return Constraints(
        allowed=frozenset(allowed) if draw(st.booleans()) else frozenset(),
        required=frozenset(required),
        forbidden=frozenset(forbidden),
        space_groups=frozenset(draw(st.sets(st.integers(1, 230), max_size=4))),
        n_atoms=(low, draw(st.integers(low + 3, 24))),
        n_elements=(fewest, draw(st.integers(max(fewest, len(required), 1), 4))),
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(demand=constraints(), seed=st.integers(0, 1000))
def test_every_complete_sequence_satisfies_the_constraints(
    trained: TrainedGenerator, demand: Constraints, seed: int
) -> None:
    packer = trained.packer
    try:
        rules = MaskRules(packer.vocabulary, packer.catalogue, demand)
    except InputError:
        return
    rollout = sample_sequences(
        trained.model.decoder, rules, 40, temperatures=Temperatures(formula=1.5, structure=1.5),
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    for sequence in packer.unpack(rollout.batch.select(rollout.complete.nonzero()[:, 0])):
        if sequence is None:
            continue
        present = set(sequence.composition)
        assert not demand.allowed or present <= demand.allowed
        assert demand.required <= present
        assert not present & demand.forbidden
        assert not demand.space_groups or sequence.space_group in demand.space_groups
        assert demand.n_atoms[0] <= sequence.n_atoms <= demand.n_atoms[1]
        assert demand.n_elements[0] <= len(present) <= demand.n_elements[1]


@pytest.mark.parametrize(
    ("formula", "groups"),
    [({20: 1, 22: 1, 8: 3}, ()), ({12: 1, 17: 2}, ()), ({11: 1, 17: 1}, (225,)), ({22: 1, 8: 2}, (14, 136))],
)
def test_a_formula_is_met_exactly(trained: TrainedGenerator, formula: dict[int, int], groups: tuple[int, ...]) -> None:
    demand = Constraints(formula=formula, space_groups=frozenset(groups))
    samples = LatentGenerator(trained).sample_sequences(20, constraints=demand, seed=3)
    assert len(samples) == 20
    for sample in samples:
        composition = sample.sequence.composition
        units = composition[next(iter(formula))] // formula[next(iter(formula))]
        assert composition == {number: units * count for number, count in formula.items()}
        assert not groups or sample.sequence.space_group in groups


def test_log_probabilities_are_those_of_teacher_forcing(trained: TrainedGenerator) -> None:
    packer, decoder = trained.packer, trained.model.decoder
    for demand in (NO_CONSTRAINTS, Constraints(required=frozenset({8}), n_elements=(2, 3))):
        rules = MaskRules(packer.vocabulary, packer.catalogue, demand)
        rollout = sample_sequences(
            decoder, rules, 64, temperatures=Temperatures(), generator=torch.Generator().manual_seed(5)
        )
        rows = rollout.complete.nonzero()[:, 0]
        batch = rollout.batch.select(rows)
        with torch.no_grad():
            again = sequence_log_prob(decoder, batch, trace_masks(batch, rules), rollout.z[rows])
        assert again.keys() == rollout.log_prob.keys()
        for name, value in again.items():
            torch.testing.assert_close(value, rollout.log_prob[name][rows], atol=2e-3, rtol=1e-4)


def test_the_same_seed_gives_the_same_crystals(trained: TrainedGenerator) -> None:
    generator = LatentGenerator(trained)
    first = generator.sample(30, seed=11)
    again = generator.sample(10, seed=11)
    other = generator.sample(10, seed=12)
    assert [c.crystal.content_hash() for c in first[:10]] == [c.crystal.content_hash() for c in again]
    assert [c.crystal.content_hash() for c in first[:10]] != [c.crystal.content_hash() for c in other]
    assert [c.provenance.index for c in first] == list(range(30))


def test_samples_pass_the_contact_rules_and_the_tally_adds_up(trained: TrainedGenerator) -> None:
    generator = LatentGenerator(trained)
    for candidate in generator.sample(40, seed=2):
        assert min_distance(candidate.crystal) >= trained.rules.min_distance
    tally = generator.tally
    assert tally.drawn == tally.incomplete + tally.colliding + tally.accepted > 0


def test_low_temperature_draws_what_was_learned(trained: TrainedGenerator) -> None:
    cold = LatentGenerator(trained, temperatures=Temperatures(formula=0.5, structure=0.3, coordinate=0.1, shape=0.1))
    samples = cold.sample_sequences(100, seed=0)
    learned = {14, 136, 186, 221, 225}
    assert sum(sample.sequence.space_group in learned for sample in samples) >= 90


@pytest.mark.parametrize(
    ("demand", "sentence"),
    [
        (Constraints(required=frozenset({79})), "has not learned the element Au"),
        (Constraints(required=frozenset({8}), forbidden=frozenset({8})), "O is required and excluded"),
        (Constraints(allowed=frozenset({79, 47})), "no element that may occur"),
        (Constraints(formula={11: 1, 17: 1}, required=frozenset({8})), "O is required but is not part"),
        (Constraints(formula={11: 5, 17: 31}), "no whole number of formula units"),
        (
            Constraints(formula={11: 1, 17: 1, 8: 1}, space_groups=frozenset({227}), n_atoms=(1, 6)),
            "fits space group 227",
        ),
        (Constraints(n_atoms=(30, 40)), "number of atoms must lie within 1..24"),
        (Constraints(n_elements=(3, 2)), "number of elements"),
        (Constraints(space_groups=frozenset({231})), "numbered 1..230"),
    ],
)
def test_contradictions_are_one_sentence(trained: TrainedGenerator, demand: Constraints, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        LatentGenerator(trained).sample(1, constraints=demand)


def test_a_formula_means_its_reduced_form(trained: TrainedGenerator) -> None:
    generator = LatentGenerator(trained)
    plain, doubled = (
        generator.sample(8, constraints=Constraints(formula=formula), seed=1)
        for formula in ({11: 1, 17: 1}, {11: 2, 17: 2})
    )
    assert [c.crystal.content_hash() for c in plain] == [c.crystal.content_hash() for c in doubled]
