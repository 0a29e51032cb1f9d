"""What speaks against trees beside networks is said before anything is trained."""

from __future__ import annotations

import sys

import pytest

from matwright.api.blend import check_forest
from matwright.api.parts import SplitSettings
from matwright.api.train_settings import TrainSettings
from matwright.errors import InputError
from matwright.materials.properties import PropertySpec
from matwright.training.settings import protocol


@pytest.mark.parametrize("forest", [0, 5])
def test_trees_without_their_library_are_refused_at_the_door(forest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TrainSettings(
        specs=(PropertySpec(name="gap", unit="eV"),),
        split=SplitSettings(),
        protocol="default",
        how=protocol("default", epochs=3),
        forest=forest,
    )
    check_forest(settings)
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as where it is not installed
    if forest == 0:
        check_forest(settings)
        return
    with pytest.raises(InputError, match="a forest needs scikit-learn"):
        check_forest(settings)
