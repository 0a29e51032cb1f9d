"""The shipped model `elastic`: known crystals, exact symmetry, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from matwright.api.columns import TableColumns
from matwright.api.elastic import predict_tensors
from matwright.api.predict import Predictor, load_predictor
from matwright.api.train_settings import TrainSettings
from matwright.cli import main
from matwright.errors import InputError
from matwright.materials.composition import Composition
from matwright.materials.crystal import Crystal
from matwright.materials.interop import to_poscar
from matwright.materials.symmetry import point_rotations
from matwright.models.config import HeadKind
from matwright.physics.elasticity import AVERAGE_NAMES, COMPONENT_NAMES, moduli, rotated, symmetry_violation, to_mandel

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SILICON = Crystal(lattice=5.43 * FCC, frac_coords=np.array([[0.0] * 3, [0.25] * 3]), numbers=np.array([14, 14]))
MAGNESIA = Crystal(lattice=4.21 * FCC, frac_coords=np.array([[0.0] * 3, [0.5] * 3]), numbers=np.array([12, 8]))
ZINC = Crystal(
    lattice=np.array([[2.66, 0.0, 0.0], [-1.33, 1.33 * 3**0.5, 0.0], [0.0, 0.0, 4.95]]),
    frac_coords=np.array([[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]]),
    numbers=np.array([30, 30]),
)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return load_predictor("elastic")


def test_crystals_that_everybody_knows(predictor: Predictor) -> None:
    """Silicon and magnesia were held out of training; measured K 98 and 162, G 67 and 130 GPa."""
    silicon, magnesia = predict_tensors(predictor, [SILICON, MAGNESIA])
    assert silicon.moduli.bulk[0] == pytest.approx(98, rel=0.25)
    assert magnesia.moduli.bulk[0] == pytest.approx(162, rel=0.25)
    assert silicon.moduli.shear[0] == pytest.approx(67, rel=0.35)
    assert magnesia.moduli.shear[0] == pytest.approx(130, rel=0.35)


def test_tensors_are_stable_and_of_their_symmetry(predictor: Predictor) -> None:
    some = [SILICON, MAGNESIA, ZINC]
    for crystal, found in zip(some, predict_tensors(predictor, some), strict=True):
        assert found.violation < 1e-5
        assert symmetry_violation(found.stiffness, point_rotations(crystal)) < 1e-12
        assert found.moduli.is_stable[0]
        assert (found.std >= 0).all()
        assert found.std[0, 0] > 0
    stiffness = predict_tensors(predictor, [ZINC])[0].stiffness
    assert stiffness[5, 5] == pytest.approx((stiffness[0, 0] - stiffness[0, 1]) / 2)
    assert stiffness[2, 2] < stiffness[0, 0]  # zinc is soft along c


def test_the_tensor_turns_with_the_crystal(predictor: Predictor) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turned = Crystal(lattice=ZINC.lattice @ turn.T, frac_coords=ZINC.frac_coords, numbers=ZINC.numbers)
    first, second = predict_tensors(predictor, [ZINC, turned])
    difference = np.linalg.norm(to_mandel(second.stiffness - rotated(first.stiffness, turn)))
    assert difference < 1e-5 * np.linalg.norm(to_mandel(first.stiffness))


def test_plain_properties_follow_from_the_tensor(predictor: Predictor) -> None:
    found = predictor.predict([ZINC])
    assert set(found) == {*AVERAGE_NAMES, *COMPONENT_NAMES}
    whole = moduli(predict_tensors(predictor, [ZINC])[0].stiffness[None])
    for name, value in {"bulk_modulus": whole.bulk[0], "young_modulus": whole.young[0]}.items():
        assert found[name].mean[0] == pytest.approx(value, rel=0.05)  # the mean of averages, the average of the mean
        assert found[name].lower[0] < found[name].mean[0] < found[name].upper[0]
    assert found["universal_anisotropy"].lower[0] >= 0


def test_what_has_no_tensor_is_refused(predictor: Predictor) -> None:
    layer = Crystal(lattice=ZINC.lattice, frac_coords=ZINC.frac_coords, numbers=ZINC.numbers, pbc=(True, True, False))
    for structure in (layer, Composition.from_formula("MgO")):
        with pytest.raises(InputError, match="periodic in three directions"):
            predictor.predict([structure])
    with pytest.raises(InputError, match="predicts no elastic tensor"):
        predict_tensors(load_predictor("mp-crystal"), [SILICON])


def test_components_are_printed_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Zn.vasp"
    file.write_text(to_poscar(ZINC))
    assert main(["predict", "elastic", str(file)]) == 0
    averages = capsys.readouterr().out.splitlines()
    assert [line.split(",")[1] for line in averages[1:]] == list(AVERAGE_NAMES)
    assert main(["predict", "elastic", str(file), "--tensor"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(AVERAGE_NAMES) + 21
    assert main(["predict", "mp-crystal", str(file), "--tensor"]) == 2
    assert "predicts no elastic tensor" in capsys.readouterr().err


def table(folder: Path, names: tuple[str, ...]) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([",".join(("structure", *names)), ",".join(('"x"', *("1" for _ in names)))]) + "\n")
    return path


def settings_of(path: Path, *targets: str) -> TrainSettings:
    from matwright.api.parts import split_settings
    from matwright.training.settings import protocol

    source = TableColumns(targets=targets, structure="structure").open(path)
    how = protocol("default", epochs=1)
    return TrainSettings(specs=source.targets, split=split_settings(None, None), protocol="default", how=how)


def test_one_target_stands_for_the_components(tmp_path: Path) -> None:
    path = table(tmp_path, ("bulk_modulus", "band_gap", *COMPONENT_NAMES))
    heads = settings_of(path, "bulk_modulus:GPa", "band_gap:eV", "elastic_tensor:GPa").config.heads
    kinds = {head.name: head.kind for head in heads}
    assert kinds.pop("band_gap") is HeadKind.DECOUPLED
    assert set(kinds) == {"bulk_modulus", *COMPONENT_NAMES}
    assert set(kinds.values()) == {HeadKind.ELASTIC}
    scalar = settings_of(path, "bulk_modulus:GPa").config.heads
    assert scalar[0].kind is HeadKind.DECOUPLED
    with pytest.raises(InputError, match="learned in GPa"):
        _ = settings_of(path, "bulk_modulus:MPa", "elastic_tensor:GPa").config
