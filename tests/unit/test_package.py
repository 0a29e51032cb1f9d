from __future__ import annotations

import pytest

import matwright


def test_every_public_name_is_there() -> None:
    for name in matwright.__all__:
        value = getattr(matwright, name)
        assert name.startswith("__") or value.__name__ == name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Cristal'"):
        _ = matwright.Cristal


def test_the_public_names_are_listed() -> None:
    assert set(dir(matwright)) == set(matwright.__all__)
