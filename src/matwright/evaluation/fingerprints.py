"""Fingerprints of the COV protocol: matminer's CrystalNN site fingerprints ("ops") and Magpie composition features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError
from matwright.evaluation.coverage import Fingerprints
from matwright.materials.crystal import Crystal
from matwright.materials.silence import quiet_warnings

INSTALL = "COV needs matminer: install it with pip install 'matwright[evaluate]'"


def fingerprints(crystals: Sequence[Crystal], *, on_done: Callable[[int], None] | None = None) -> Fingerprints:
    """Structure (mean over the sites) and composition fingerprints; a row of NaN where matminer gives none.

    Raises:
        InputError: matminer is not installed.
    """
    try:
        with quiet_warnings():  # deprecation warnings of its own dependencies
            from matminer.featurizers.composition import ElementProperty  # heavy: behind its door
            from matminer.featurizers.site import CrystalNNFingerprint
    except ImportError:
        raise InputError(INSTALL) from None
    with quiet_warnings():
        sites = CrystalNNFingerprint.from_preset("ops")
        elements = ElementProperty.from_preset("magpie")
    structure = np.full((len(crystals), len(sites.feature_labels())), np.nan)
    composition = np.full((len(crystals), len(elements.feature_labels())), np.nan)
    for row, crystal in enumerate(crystals):
        with quiet_warnings():
            structure[row], composition[row] = _one(crystal, sites, elements, structure.shape[1], composition.shape[1])
        if on_done is not None:
            on_done(1)
    return Fingerprints(structure=structure, composition=composition)


def _one(
    crystal: Crystal, sites: Any, elements: Any, n_structure: int, n_composition: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The two fingerprints of one crystal; NaN where the library fails on it, as the protocol counts it."""
    from matwright.materials.interop import to_pymatgen

    structure = to_pymatgen(crystal)
    try:
        by_site = np.array([sites.featurize(structure, i) for i in range(len(structure))]).mean(0)
    except (ValueError, IndexError, RuntimeError, ZeroDivisionError):  # crystals without neighbours
        by_site = np.full(n_structure, np.nan)
    try:
        by_element = np.array(elements.featurize(structure.composition), dtype=float)
    except (ValueError, KeyError):  # elements that Magpie's table lacks
        by_element = np.full(n_composition, np.nan)
    return by_site, by_element
