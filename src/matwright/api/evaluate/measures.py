"""The measures that need no potential: validity, uniqueness, novelty, symmetry, COV, distances, METRe, match rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from matwright.api.evaluate.settings import EvaluationSettings, Measure, matcher_text
from matwright.data.known import KnownMaterials
from matwright.errors import InputError
from matwright.evaluation.generation import (
    FormulaKey,
    Share,
    StructureComparison,
    formula_key,
    is_compositionally_valid,
    is_structurally_valid,
    space_groups,
)
from matwright.evaluation.populations import total_variation, wasserstein
from matwright.materials.crystal import Crystal
from matwright.materials.interop import reduced_formula
from matwright.physics.geometry import density
from matwright.progress import Progress
from matwright.rng import generator

VALID = "shortest distance ≥ 0.5 Å with periodic self-images, volume ≥ 0.1 Å³"
NEUTRAL = "SMACT neutrality and electronegativity order, oxidation states smact14; single elements and metals pass"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrystalSet:
    """Named, ordered crystals with their space groups.

    Attributes:
        names, crystals: (n,) each.
        groups: (n,) international numbers.
        unusable: how many more there were that are no crystal at all (unreadable, overlapping atoms, disordered): they
            count as invalid and as not stable.
    """

    names: tuple[str, ...]
    crystals: tuple[Crystal, ...]
    groups: NDArray[np.int64]
    unusable: int = 0

    @classmethod
    def of(cls, names: Sequence[str], crystals: Sequence[Crystal], symprec: float, unusable: int = 0) -> CrystalSet:
        """With the space groups at `symprec` Å."""
        groups = space_groups(crystals, symprec)
        return cls(names=tuple(names), crystals=tuple(crystals), groups=groups, unusable=unusable)

    def __len__(self) -> int:
        return len(self.crystals)

    def drawn(self, most: int, seed: int) -> CrystalSet:
        """At most `most` of them, drawn at random, in their order."""
        if len(self) <= most:
            return self
        rows = np.sort(generator(seed, "evaluate", "sample").choice(len(self), most, replace=False))
        return self.at(rows)

    def at(self, rows: NDArray[np.int64]) -> CrystalSet:
        """Those at the given places."""
        return CrystalSet(
            names=tuple(self.names[i] for i in rows),
            crystals=tuple(self.crystals[i] for i in rows),
            groups=self.groups[rows],
        )

    def by_formula(self) -> Callable[[FormulaKey], Sequence[Crystal]]:
        """Look-up of the crystals of a reduced formula."""
        found: dict[FormulaKey, list[Crystal]] = {}
        for crystal in self.crystals:
            found.setdefault(formula_key(crystal), []).append(crystal)
        return lambda key: found.get(key, [])


def share(name: str, count: int, n: int, setting: str) -> Measure:
    """A share with its interval."""
    found = Share(count=count, n=n)
    return Measure(name=name, value=found.value, unit="1", n=n, setting=setting, interval=found.interval)


def validity(own: CrystalSet) -> tuple[list[Measure], NDArray[np.bool_]]:
    """Structural and compositional validity, and which crystals (n,) are both."""
    structure = np.array([is_structurally_valid(crystal) for crystal in own.crystals])
    composition = np.array([is_compositionally_valid(crystal) for crystal in own.crystals])
    both = structure & composition
    n, lost = len(own) + own.unusable, f"; {own.unusable} that could not be used count as invalid"
    rows = [
        share("structural_validity", int(structure.sum()), n, VALID + lost),
        share("compositional_validity", int(composition.sum()), n, NEUTRAL + lost),
        share("validity", int(both.sum()), n, "structural and compositional" + lost),
    ]
    return rows, both


def uniqueness(own: CrystalSet, settings: EvaluationSettings) -> list[Measure]:
    """Share left when of equal crystals one is kept."""
    first = StructureComparison(settings.same).classes(own.crystals)
    unique = int((first == np.arange(len(own))).sum())
    return [share("uniqueness", unique, len(own), f"{matcher_text(settings.same)} within equal formulas")]


def novelty(own: CrystalSet, reference: CrystalSet | None, settings: EvaluationSettings) -> list[Measure]:
    """Share unlike every reference crystal; against the shipped library where there is no reference."""
    if reference is None:
        known = KnownMaterials.load()
        formulas = [reduced_formula(crystal) for crystal in own.crystals]
        new = sum(not known.has_formula(formula) for formula in formulas)
        pairs = zip(formulas, own.groups.tolist(), strict=True)
        unseen = sum(not known.has_structure(formula, group) for formula, group in pairs)
        listed = f"{len(known.formulas):,} formulas of the Materials Project that ship with the package"
        symmetry = f"formula with space group (symprec {settings.symprec} Å) among those that ship with the package"
        return [share("new_formula", new, len(own), listed), share("novelty", unseen, len(own), symmetry)]
    look_up = reference.by_formula()
    new = sum(not look_up(formula_key(crystal)) for crystal in own.crystals)
    novel = StructureComparison(settings.same).novel(own.crystals, look_up)
    text = f"{len(reference):,} reference crystals"
    return [
        share("new_formula", new, len(own), text),
        share("novelty", int(novel.sum()), len(own), f"{matcher_text(settings.same)}, {text}"),
    ]


def symmetry(own: CrystalSet, reference: CrystalSet | None, settings: EvaluationSettings) -> list[Measure]:
    """Share of space group 1, and how far the space groups and crystal systems are from the reference's."""
    text = f"moyopy, symprec {settings.symprec} Å"
    rows = [share("space_group_1", int((own.groups == 1).sum()), len(own), text)]
    if reference is None:
        return rows
    rows.append(share("space_group_1_of_reference", int((reference.groups == 1).sum()), len(reference), text))
    distances = {
        "space_group_distance": total_variation(own.groups.tolist(), reference.groups.tolist()),
        "crystal_system_distance": total_variation(crystal_systems(own.groups), crystal_systems(reference.groups)),
    }
    setting = f"total variation (0 equal, 1 apart) to the reference; {text}"
    return rows + [Measure(name=k, value=v, unit="1", n=len(own), setting=setting) for k, v in distances.items()]


SYSTEM_STARTS = (1, 3, 16, 75, 143, 168, 195)
"""First space group of the triclinic, monoclinic, orthorhombic, tetragonal, trigonal, hexagonal and cubic systems."""


def crystal_systems(groups: NDArray[np.int64]) -> list[int]:
    """Number 0..6 of each group's crystal system, triclinic to cubic."""
    return [int(place) for place in np.searchsorted(SYSTEM_STARTS, groups, side="right") - 1]


def distances(own: CrystalSet, reference: CrystalSet, settings: EvaluationSettings) -> list[Measure]:
    """Wasserstein distances of density, number of elements and, with a model, of what it predicts."""
    text = f"Wasserstein-1, valid crystals, at most {settings.sample:,} of each side, seed {settings.seed}"
    columns: dict[str, tuple[str, Callable[[Crystal], float]]] = {
        "density": ("g/cm3", density),
        "number_of_elements": ("1", lambda crystal: float(len(set(crystal.numbers.tolist())))),
    }
    rows = []
    for name, (unit, of) in columns.items():
        value = wasserstein([of(c) for c in own.crystals], [of(c) for c in reference.crystals])
        rows.append(Measure(name=f"{name}_distance", value=value, unit=unit, n=len(own), setting=text))
    if settings.model is None:
        return rows
    from matwright.api.predict import load_predictor  # heavy (torch): behind its door

    predictor = load_predictor(settings.model)
    ours, theirs = predictor.predict(own.crystals), predictor.predict(reference.crystals)
    units = {name: prediction.spec.unit for name, prediction in ours.items()}
    for name in ours:
        value = wasserstein(ours[name].mean, theirs[name].mean)
        setting = f"{text}; predicted by {settings.model}"
        rows.append(Measure(name=f"{name}_distance", value=value, unit=units[name], n=len(own), setting=setting))
    return rows


def covering(own: CrystalSet, reference: CrystalSet, settings: EvaluationSettings, progress: Progress) -> list[Measure]:
    """COV recall and precision, and both by structure and by composition alone; valid or not, every crystal counts.

    Raises:
        InputError: matminer is not installed.
    """
    from matwright.evaluation.coverage import CUT_OFFS, Scaling, coverage, published_scale
    from matwright.evaluation.fingerprints import fingerprints

    if settings.cut_offs is None:
        return []
    cut = CUT_OFFS[settings.cut_offs]
    drawn, against = own.drawn(settings.sample, settings.seed), reference.drawn(settings.sample, settings.seed)
    progress.start("fingerprints of the generated", len(drawn))
    ours = fingerprints(drawn.crystals, on_done=progress.advance)
    progress.start("fingerprints of the reference", len(against))
    theirs = fingerprints(against.crystals, on_done=progress.advance)
    progress.finish()
    scale = published_scale() if settings.scaling == Scaling.PUBLISHED else None
    found = coverage(ours, theirs, cut, scale)
    text = (
        f"cut-offs of {settings.cut_offs}: structure {cut.structure} (CrystalNN ops), composition {cut.composition} "
        f"(Magpie, standardised by {found.scale}); at most {settings.sample:,} of each side, valid or not, "
        f"seed {settings.seed}; without a fingerprint: {found.without_fingerprint[0]} generated (count as far), "
        f"{found.without_fingerprint[1]} of the reference (left out); {own.unusable} unusable ones count as far"
    )
    rows = {
        "cov": (found.recall, found.precision),
        "cov_structure": found.by_structure,
        "cov_composition": found.by_composition,
    }
    usable = len(own) / (len(own) + own.unusable)
    measures = []
    for name, (recall, precision) in rows.items():
        alone = "" if name == "cov" else f"{name.removeprefix('cov_')} alone; "
        measures += [
            Measure(name=f"{name}_recall", value=recall, unit="1", n=found.n_reference, setting=alone + text),
            Measure(
                name=f"{name}_precision", value=usable * precision, unit="1", n=found.n_generated, setting=alone + text
            ),
        ]
    return measures


def matches(own: CrystalSet, reference: CrystalSet, settings: EvaluationSettings) -> list[Measure]:
    """METRe and, for pairs, the match rate.

    Raises:
        InputError: pairs are asked for, but no generated crystal bears the name of a reference one.
    """
    from matwright.evaluation.matching import match_everyone, match_rate

    comparison, text = StructureComparison(settings.prediction), matcher_text(settings.prediction)
    found = match_everyone(own.crystals, reference.crystals, comparison)
    rows = [
        share("metre", found.matched, found.n, f"share of reference structures that any crystal matches; {text}"),
        Measure(name="metre_rms", value=found.rms, unit="1", n=found.matched, setting=f"over (V/n)^(1/3); {text}"),
    ]
    if not settings.paired:
        return rows
    tries: dict[str, list[Crystal]] = {}
    for name, crystal in zip(own.names, own.crystals, strict=True):
        tries.setdefault(paired_name(name, reference), []).append(crystal)
    if not any(name in tries for name in reference.names):
        raise InputError("no generated crystal bears the name of a reference one: the match rate needs pairs")
    found = match_rate([tries.get(name, []) for name in reference.names], reference.crystals, comparison)
    most = max(len(tries.get(name, [])) for name in reference.names)
    text = f"at most {most} crystals a reference structure, by name; {text}"
    rows.append(share("match_rate", found.matched, found.n, text))
    rows.append(Measure(name="match_rms", value=found.rms, unit="1", n=found.matched, setting=text))
    return rows


def paired_name(name: str, reference: CrystalSet) -> str:
    """The reference name that a generated crystal's name is: the same, or with "_" and a number of the try behind."""
    known = set(reference.names)
    stem, _, number = name.rpartition("_")
    return stem if name not in known and number.isdigit() and stem in known else name
