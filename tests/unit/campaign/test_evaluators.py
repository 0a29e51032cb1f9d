"""The evaluators themselves, on real tables, a shipped model and a real potential."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaign_parts import rock_salt

from matwright.api.campaign.rungs import make_evaluator
from matwright.api.models import find_model
from matwright.api.predict import load_predictor
from matwright.campaign.campaign import Campaign
from matwright.campaign.engine.in_process import InProcessEngine
from matwright.campaign.evaluator import Evaluation, Evaluator, Fidelity, Quantity, checked, evaluator_hash
from matwright.campaign.evaluators.conduction import ConductionEvaluator, conduction_evaluation
from matwright.campaign.evaluators.experiment import ExperimentEvaluator
from matwright.campaign.evaluators.lookup import LookupEvaluator
from matwright.campaign.evaluators.potential import PotentialEvaluator
from matwright.campaign.evaluators.surrogate import SurrogateEvaluator
from matwright.campaign.evaluators.table import ValueTable
from matwright.campaign.ladder import Rung, with_gates
from matwright.campaign.objective import Goal
from matwright.campaign.store.address import structure_hash
from matwright.campaign.store.store import Store
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.properties import find_property
from matwright.materials.target import parse_target
from matwright.physics.transport import BOLTZMANN, arrhenius
from matwright.screening.conduction import ConductionSettings, Conductivity
from matwright.screening.dynamics import DynamicsSettings
from matwright.screening.potential import Failure, FailureKind
from matwright.screening.relax import RelaxationSettings

CRYSTALS = [rock_salt(5.6), rock_salt(5.7), rock_salt(4.2, (12, 8))]
COINCIDENT = Crystal(lattice=4.0 * np.eye(3), frac_coords=np.zeros((2, 3)), numbers=np.array([11, 17]))


def _lookup(folder: Path) -> LookupEvaluator:
    rows = {structure_hash(one): {"hardness": Quantity(value=one.volume, unit="GPa", std=0.5)} for one in CRYSTALS[:2]}
    ValueTable(units={"hardness": "GPa"}, rows=rows, described={}).write(folder / "known.csv")
    return LookupEvaluator.of(folder / "known.csv", fidelity=Fidelity.DFT)


def _experiment(folder: Path) -> ExperimentEvaluator:
    return ExperimentEvaluator(path=folder / "asked.csv", name="indentation", units={"hardness": "GPa"})


def _surrogate(_: Path) -> SurrogateEvaluator:
    return SurrogateEvaluator.of(find_model("mp-crystal"))


def _potential(_: Path) -> PotentialEvaluator:
    return PotentialEvaluator(relaxation=RelaxationSettings(fmax=0.1, smax=1.0, max_steps=60))


def _conduction(_: Path) -> ConductionEvaluator:
    dynamics = DynamicsSettings(timestep=3.0, equilibration=0.0, production=0.06, interval=3.0)
    return ConductionEvaluator(
        conduction=ConductionSettings(ion="Na", temperatures=(300.0, 900.0), min_length=3.0, dynamics=dynamics)
    )


MAKERS: dict[str, Callable[[Path], Any]] = {
    "lookup": _lookup,
    "experiment": _experiment,
    "surrogate": _surrogate,
    "potential": _potential,
    "conduction": _conduction,
}


def test_a_surrogate_of_compositions_sees_of_a_crystal_its_composition() -> None:
    evaluator = SurrogateEvaluator.of(find_model("superalloy"))
    narrow, wide = evaluator.evaluate([rock_salt(5.6, (28, 13)), rock_salt(5.9, (28, 13))])
    expected = load_predictor("superalloy").predict([Composition.from_formula("NiAl")])["yield_strength"]
    for found in (narrow, wide):
        assert not isinstance(found.answer, Failure)
        assert found.answer["yield_strength"].value == pytest.approx(float(expected.mean[0]), rel=1e-5)


def test_a_surrogate_under_conditions_is_another_evaluator_and_says_what_predict_says(tmp_path: Path) -> None:
    plain = SurrogateEvaluator.of(find_model("superalloy"))
    table = {"kind": "surrogate", "model": "superalloy"}
    steps = "steps=treatment 1150 degC 4 h, air cooled > treatment 850 degC 24 h"
    hot = make_evaluator(table, tmp_path, ["temperature=1123.15 K", steps, "pressure=1 GPa"])  # of another model
    assert hot.settings == {
        "temperature": "850 degC",
        "processing steps": "treatment 1423.15 K 4 h, air cooled > treatment 1123.15 K 24 h",
    }
    hashes = {evaluator_hash(one) for one in (plain, hot, make_evaluator(table, tmp_path, ["temperature=20 degC"]))}
    assert len(hashes) == 3
    assert evaluator_hash(make_evaluator(table, tmp_path, ["pressure=1 GPa"])) == evaluator_hash(plain)
    assert evaluator_hash(make_evaluator(table, tmp_path, ["temperature=850", steps])) == evaluator_hash(hot)
    crystals = [rock_salt(5.6, (28, 13)), rock_salt(5.6, (28, 24))]
    alloys = [Composition.from_formula("NiAl"), Composition.from_formula("NiCr")]
    asked = {"temperature": "850 degC", "steps": steps.removeprefix("steps=")}
    expected = load_predictor("superalloy").predict(alloys, asked)["yield_strength"]
    for place, found in enumerate(ForkingPickler.loads(ForkingPickler.dumps(hot)).evaluate(crystals)):
        assert found.answer["yield_strength"].value == pytest.approx(float(expected.mean[place]), rel=1e-5)


@pytest.mark.parametrize("name", list(MAKERS))
def test_every_evaluator_keeps_the_contract(name: str, tmp_path: Path) -> None:
    evaluator: Evaluator = MAKERS[name](tmp_path)
    travelled = ForkingPickler.loads(ForkingPickler.dumps(evaluator))
    assert evaluator_hash(travelled) == evaluator_hash(evaluator)
    assert evaluator.units
    assert evaluator.batch_size >= 1
    travelled.prepare()
    before = [structure_hash(crystal) for crystal in CRYSTALS]
    answers = checked(travelled, CRYSTALS)
    assert len(answers) == len(CRYSTALS)
    for answer in answers:
        assert {one: quantity.unit for one, quantity in answer.values.items()}.items() <= evaluator.units.items()
    assert [structure_hash(crystal) for crystal in CRYSTALS] == before
    again = checked(evaluator, CRYSTALS[1:])
    for one, other in zip(answers[1:], again, strict=True):  # an answer does not depend on the company
        # networks compute in single precision: forces that are zero come out as noise below 1e-3 eV/Å
        assert {key: pytest.approx(found.value, rel=1e-4, abs=1e-3) for key, found in one.values.items()} == {
            key: found.value for key, found in other.values.items()
        }


def test_a_lookup_gives_the_tables_values_and_refuses_what_is_not_there(tmp_path: Path) -> None:
    evaluator = _lookup(tmp_path)
    first, _, missing = evaluator.evaluate(CRYSTALS)
    assert first.values == {"hardness": Quantity(value=CRYSTALS[0].volume, unit="GPa", std=0.5)}
    assert missing.failure is not None
    assert missing.failure.kind is FailureKind.REFUSED


def test_a_table_that_changed_is_misuse_and_another_evaluator(tmp_path: Path) -> None:
    evaluator = _lookup(tmp_path)
    path = tmp_path / "known.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.5", "0.7"), encoding="utf-8")
    with pytest.raises(InputError, match="has changed"):
        evaluator.prepare()
    assert evaluator_hash(LookupEvaluator.of(path)) != evaluator_hash(evaluator)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("structure,hardness\nab,1\n", "one 'name .unit.'"),
        ("hardness [GPa]\n1\n", "a column 'structure'"),
        ("structure,hardness [GPa]\nab,hard\n", "row 2, hardness: 'hard' is not a number"),
        ("structure,hardness [GPa]\nab,nan\n", "'nan' is not a number"),
        ("structure,hardness [GPa]\nab,1\nab,2\n", "row 3: the structure ab stands there twice"),
        ("structure,hardness [GPb]\nab,1\n", "GPb"),
    ],
)
def test_a_wrong_table_is_named_with_its_row(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        ValueTable.read(tmp_path / "table.csv")


def test_an_experiments_table_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    evaluator = _experiment(tmp_path)
    evaluator.evaluate(CRYSTALS[:1])
    path = tmp_path / "asked.csv"
    table = ValueTable.read(path)
    address = structure_hash(CRYSTALS[0])
    measured = {address: {"hardness": Quantity(value=2.5, unit="GPa")}}
    ValueTable(units=table.units, rows=measured, described=table.described).write(path)
    first, second = evaluator.evaluate(CRYSTALS[:2])
    assert (first.values["hardness"].value, dict(second.values)) == (2.5, {})
    back = ValueTable.read(path)
    assert back.rows[address]["hardness"].value == 2.5
    assert list(back.rows) == [address, structure_hash(CRYSTALS[1])]
    other = ExperimentEvaluator(path=path, name="indentation", units={"hardness": "MPa"})
    with pytest.raises(InputError, match="needs"):
        other.evaluate(CRYSTALS)


def test_a_surrogate_says_what_the_model_says() -> None:
    evaluator = _surrogate(Path())
    predicted = load_predictor("mp-crystal").predict(CRYSTALS)
    first, impossible, last = evaluator.evaluate([CRYSTALS[0], COINCIDENT, CRYSTALS[2]])
    for answer, place in ((first, 0), (last, 2)):
        for name, prediction in predicted.items():
            assert answer.values[name].value == pytest.approx(prediction.mean[place], rel=1e-4)
            assert answer.values[name].std == pytest.approx(prediction.std[place], rel=1e-3)
    assert impossible.failure is not None
    assert impossible.failure.kind is FailureKind.REFUSED


def test_a_potential_relaxes_and_says_when_it_does_not_converge() -> None:
    good = _potential(Path()).evaluate([rock_salt(6.0)])[0]
    assert good.crystal is not None
    assert np.cbrt(4 * good.crystal.volume) == pytest.approx(5.64, abs=0.12)  # NaCl, experiment 5.64 Å
    assert good.values["energy_per_atom"].unit == "eV/atom"
    hasty = PotentialEvaluator(relaxation=RelaxationSettings(fmax=1e-3, smax=1e-3, max_steps=1))
    late = hasty.evaluate([rock_salt(6.0)])[0]
    assert late.failure is not None
    assert late.failure.kind is FailureKind.NOT_CONVERGED
    with pytest.raises(InputError, match="installed is"):
        PotentialEvaluator(version="0.0.0").prepare()


def _conductivity(at_room: float) -> Conductivity:
    kelvin = np.array([600.0, 700.0, 850.0, 1050.0])
    diffusion = 1e-3 * np.exp(-0.3 / (BOLTZMANN * kelvin))
    return Conductivity(
        crystal=rock_salt(5.1, (3, 17)),
        atoms=64,
        room=10.0,
        points=(),
        failures={},
        fit=arrhenius(kelvin, diffusion, 0.1 * diffusion),
        at_room=at_room,
        log_std=0.5,
        reason="",
        seconds=1.0,
    )


def test_a_conductivity_is_in_the_unit_of_its_property_and_older_records_keep_theirs(tmp_path: Path) -> None:
    evaluator = ConductionEvaluator()
    found = conduction_evaluation(_conductivity(2e-3))
    unit = find_property("ionic_conductivity").unit
    assert found.values["ionic_conductivity"] == Quantity(value=2e-3, unit=unit, std=1e-3)
    assert found.values["log_ionic_conductivity"].value == pytest.approx(np.log10(2e-3))
    assert all(evaluator.units[name] == quantity.unit for name, quantity in found.values.items())
    goal = Goal(targets=(parse_target("ionic_conductivity>=1 mS/cm"),))
    (rung,) = with_gates([Rung(name="conduction", evaluator=evaluator)], goal, {})
    assert rung.evaluator is evaluator

    crystal = rock_salt(5.1, (3, 17))
    older = OlderConduction(settings=evaluator.settings)
    assert evaluator_hash(older) != evaluator_hash(evaluator)
    with Store.open(tmp_path / "store.db") as store, InProcessEngine() as engine:
        campaign = Campaign(store, "ions", older)
        campaign.propose([crystal])
        campaign.run(engine)
        (kept,) = store.records.iterate()
        assert kept.values["ionic_conductivity"] == Quantity(value=2.0, unit="mS/cm")
        again = Campaign(store, "ions/2", evaluator)
        again.propose([crystal])
        assert again.status().left.computing == 1, "a record of the older evaluator is no answer of this one"


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderConduction:
    """What recorded conductivities before they were in S/cm."""

    settings: Mapping[str, Any]
    name: str = "chgnet-conduction"
    version: str = "0.3.0"
    fidelity: Fidelity = Fidelity.POTENTIAL
    units: Mapping[str, str] = field(default_factory=lambda: {"ionic_conductivity": "mS/cm"})
    batch_size: int = 1
    cost: float = 1.0

    def prepare(self) -> None:
        """Nothing to load."""

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        """2 mS/cm."""
        return [Evaluation(answer={"ionic_conductivity": Quantity(value=2.0, unit="mS/cm")}) for _ in crystals]
