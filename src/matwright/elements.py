"""The periodic table: symbols, atomic numbers and a standardised feature row for each element.

Sources of the table below. Mass, Pauling electronegativity, van der Waals radius, first ionisation energy, electron
affinity, Mendeleev number (Pettifor), molar volume, melting point and electron configuration: the periodic table that
ships with pymatgen (MIT licence). Covalent radius: B. Cordero et al., Dalton Trans. 2008, 2832 (as in ASE). Values that
are not measured are "-"; configurations beyond Rf follow the Aufbau order.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from matwright.errors import InputError

MAX_ATOMIC_NUMBER = 118

# symbol mass(u) period group block s p d f (valence electrons) electronegativity(Pauling) covalent_radius(Å)
# vdw_radius(Å) ionisation(eV) affinity(eV) mendeleev molar_volume(cm³/mol) melting(K)
_TABLE = """
H 1.0079 1 1 s 1 0 0 0 2.2 0.31 1.1 13.6 0.7542 103 11.42 14.01
He 4.0026 1 18 s 2 0 0 0 - 0.28 1.4 24.59 -0.52 1 21 0.95
Li 6.941 2 1 s 1 0 0 0 0.98 1.28 1.82 5.392 0.618 12 13.02 453.69
Be 9.0122 2 2 s 2 0 0 0 1.57 0.96 1.53 9.323 -0.52 77 4.85 1560
B 10.811 2 13 p 2 1 0 0 2.04 0.84 1.92 8.298 0.2797 86 4.39 2349
C 12.011 2 14 p 2 2 0 0 2.55 0.76 1.7 11.26 1.262 95 5.29 3800
N 14.007 2 15 p 2 3 0 0 3.04 0.71 1.55 14.53 -0.07 100 13.54 63.05
O 15.999 2 16 p 2 4 0 0 3.44 0.66 1.52 13.62 1.461 101 17.36 54.8
F 18.998 2 17 p 2 5 0 0 3.98 0.57 1.47 17.42 3.401 102 11.2 53.53
Ne 20.18 2 18 p 2 6 0 0 - 0.58 1.54 21.56 -1.22 2 13.23 24.56
Na 22.99 3 1 s 1 0 0 0 0.93 1.66 2.27 5.139 0.5479 11 23.78 370.87
Mg 24.305 3 2 s 2 0 0 0 1.31 1.41 1.73 7.646 -0.42 73 14 923
Al 26.982 3 13 p 2 1 0 0 1.61 1.21 1.84 5.986 0.4328 80 10 933.47
Si 28.085 3 14 p 2 2 0 0 1.9 1.11 2.1 8.152 1.39 85 12.06 1687
P 30.974 3 15 p 2 3 0 0 2.19 1.07 1.8 10.49 0.7466 90 17.02 317.3
S 32.065 3 16 p 2 4 0 0 2.58 1.05 1.8 10.36 2.077 94 15.53 388.36
Cl 35.453 3 17 p 2 5 0 0 3.16 1.02 1.75 12.97 3.613 99 17.39 171.6
Ar 39.948 3 18 p 2 6 0 0 - 1.06 1.88 15.76 -1.02 3 22.56 83.8
K 39.098 4 1 s 1 0 0 0 0.82 2.03 2.75 4.341 0.5015 10 45.94 336.53
Ca 40.078 4 2 s 2 0 0 0 1 1.76 2.31 6.113 0.02455 16 26.2 1115
Sc 44.956 4 3 d 2 0 1 0 1.36 1.70 2.15 6.561 0.1794 19 15 1814
Ti 47.867 4 4 d 2 0 2 0 1.54 1.60 2.11 6.828 0.07555 51 10.64 1941
V 50.941 4 5 d 2 0 3 0 1.63 1.53 2.07 6.746 0.5277 54 8.32 2183
Cr 51.996 4 6 d 1 0 5 0 1.66 1.39 2.06 6.767 0.6759 57 7.23 2180
Mn 54.938 4 7 d 2 0 5 0 1.55 1.39 2.05 7.434 -0.52 60 7.35 1519
Fe 55.845 4 8 d 2 0 6 0 1.83 1.32 2.04 7.902 0.1532 61 7.09 1811
Co 58.933 4 9 d 2 0 7 0 1.88 1.26 2 7.881 0.6623 64 6.67 1768
Ni 58.693 4 10 d 2 0 8 0 1.91 1.24 1.97 7.64 1.157 67 6.59 1728
Cu 63.546 4 11 d 1 0 10 0 1.9 1.32 1.96 7.726 1.236 72 7.11 1357.77
Zn 65.409 4 12 d 2 0 10 0 1.65 1.22 2.01 9.394 -0.62 76 9.16 692.68
Ga 69.723 4 13 p 2 1 10 0 1.81 1.22 1.87 5.999 0.3012 81 11.8 302.91
Ge 72.64 4 14 p 2 2 10 0 2.01 1.20 2.11 7.899 1.233 84 13.63 1211.4
As 74.922 4 15 p 2 3 10 0 2.18 1.19 1.85 9.789 0.8045 89 12.95 1090
Se 78.96 4 16 p 2 4 10 0 2.55 1.20 1.9 9.752 2.021 93 16.42 494
Br 79.904 4 17 p 2 5 10 0 2.96 1.20 1.85 11.81 3.364 98 19.78 265.8
Kr 83.798 4 18 p 2 6 10 0 3 1.16 2.02 14 -1.02 4 27.99 115.79
Rb 85.468 5 1 s 1 0 0 0 0.82 2.20 3.03 4.177 0.4859 9 55.76 312.46
Sr 87.62 5 2 s 2 0 0 0 0.95 1.95 2.49 5.695 0.05207 15 33.94 1050
Y 88.906 5 3 d 2 0 1 0 1.22 1.90 2.32 6.217 0.3113 25 19.88 1799
Zr 91.224 5 4 d 2 0 2 0 1.33 1.75 2.23 6.634 0.4333 49 14.02 2128
Nb 92.906 5 5 d 1 0 4 0 1.6 1.64 2.18 6.759 0.9174 53 10.83 2750
Mo 95.94 5 6 d 1 0 5 0 2.16 1.54 2.17 7.092 0.7472 56 9.38 2896
Tc 98 5 7 d 2 0 5 0 1.9 1.47 2.16 7.119 0.552 59 8.63 2430
Ru 101.07 5 8 d 1 0 7 0 2.2 1.46 2.13 7.361 1.046 62 8.17 2607
Rh 102.91 5 9 d 1 0 8 0 2.28 1.42 2.1 7.459 1.143 65 8.28 2237
Pd 106.42 5 10 d 0 0 10 0 2.2 1.39 2.1 8.337 0.5621 69 8.56 1828.05
Ag 107.87 5 11 d 1 0 10 0 1.93 1.45 2.11 7.576 1.304 71 10.27 1234.93
Cd 112.41 5 12 d 2 0 10 0 1.69 1.44 2.18 8.994 -0.72 75 13 594.22
In 114.82 5 13 p 2 1 10 0 1.78 1.42 1.93 5.786 0.3839 79 15.76 429.75
Sn 118.71 5 14 p 2 2 10 0 1.96 1.39 2.17 7.344 1.112 83 16.29 505.08
Sb 121.76 5 15 p 2 3 10 0 2.05 1.39 2.06 8.608 1.047 88 18.19 903.78
Te 127.6 5 16 p 2 4 10 0 2.1 1.38 2.06 9.01 1.971 92 20.46 722.66
I 126.9 5 17 p 2 5 10 0 2.66 1.39 1.98 10.45 3.059 97 25.72 386.85
Xe 131.29 5 18 p 2 6 10 0 2.6 1.40 2.16 12.13 -0.82 5 35.92 161.4
Cs 132.91 6 1 s 1 0 0 0 0.79 2.44 3.43 3.894 0.4716 8 70.94 301.59
Ba 137.33 6 2 s 2 0 0 0 0.89 2.15 2.68 5.212 0.1446 14 38.16 1000
La 138.91 6 3 f 2 0 1 0 1.1 2.07 2.43 5.577 0.5575 33 22.39 1193
Ce 140.12 6 3 f 2 0 1 1 1.12 2.04 2.42 5.539 0.6002 32 20.69 1068
Pr 140.91 6 3 f 2 0 0 3 1.13 2.03 2.4 5.47 0.1092 31 20.8 1208
Nd 144.24 6 3 f 2 0 0 4 1.14 2.01 2.39 5.525 0.09749 30 20.59 1297
Pm 145 6 3 f 2 0 0 5 1.13 1.99 2.38 5.582 0.129 29 20.23 1373
Sm 150.36 6 3 f 2 0 0 6 1.17 1.98 2.36 5.644 0.162 28 19.98 1345
Eu 151.96 6 3 f 2 0 0 7 1.2 1.98 2.35 5.67 0.1161 18 28.97 1099
Gd 157.25 6 3 f 2 0 1 7 1.2 1.96 2.34 6.15 0.2123 27 19.9 1585
Tb 158.93 6 3 f 2 0 0 9 1.1 1.94 2.33 5.864 0.1313 26 19.3 1629
Dy 162.5 6 3 f 2 0 0 10 1.22 1.92 2.31 5.939 0.0153 24 19.01 1680
Ho 164.93 6 3 f 2 0 0 11 1.23 1.92 2.3 6.021 0.338 23 18.74 1734
Er 167.26 6 3 f 2 0 0 12 1.24 1.89 2.29 6.108 0.312 22 18.46 1802
Tm 168.93 6 3 f 2 0 0 13 1.25 1.90 2.27 6.184 1.029 21 19.1 1818
Yb 173.04 6 3 f 2 0 0 14 1.1 1.87 2.26 6.254 -0.02 17 24.84 1097
Lu 174.97 6 3 d 2 0 1 14 1.27 1.87 2.24 5.426 0.2389 20 17.78 1925
Hf 178.49 6 4 d 2 0 2 14 1.3 1.75 2.23 6.825 0.1781 50 13.44 2506
Ta 180.95 6 5 d 2 0 3 14 1.5 1.70 2.22 7.55 0.3289 52 10.85 3290
W 183.84 6 6 d 2 0 4 14 2.36 1.62 2.18 7.864 0.8165 55 9.47 3695
Re 186.21 6 7 d 2 0 5 14 1.9 1.51 2.16 7.834 0.0604 58 8.86 3459
Os 190.23 6 8 d 2 0 6 14 2.2 1.44 2.16 8.438 1.078 63 8.42 3306
Ir 192.22 6 9 d 2 0 7 14 2.2 1.41 2.13 8.967 1.564 66 8.52 2739
Pt 195.08 6 10 d 1 0 9 14 2.28 1.36 2.13 8.959 2.125 68 9.09 2041.4
Au 196.97 6 11 d 1 0 10 14 2.54 1.36 2.14 9.226 2.309 70 10.21 1337.33
Hg 200.59 6 12 d 2 0 10 14 2 1.32 2.23 10.44 -0.52 74 14.09 234.32
Tl 204.38 6 13 p 2 1 10 14 1.62 1.45 1.96 6.108 0.3201 78 17.22 577
Pb 207.2 6 14 p 2 2 10 14 2.33 1.46 2.02 7.417 0.3567 82 18.26 600.61
Bi 208.98 6 15 p 2 3 10 14 2.02 1.48 2.07 7.286 0.9424 87 21.31 544.4
Po 210 6 16 p 2 4 10 14 2 1.40 1.97 8.418 1.407 91 22.97 527
At 210 6 17 p 2 5 10 14 2.2 1.50 2.02 9.318 2.416 96 - 575
Rn 220 6 18 p 2 6 10 14 2.2 1.50 2.2 10.75 -0.72 6 50.5 202
Fr 223 7 1 s 1 0 0 0 0.7 2.60 3.48 4.073 0.486 7 - 300
Ra 226 7 2 s 2 0 0 0 0.9 2.21 2.83 5.278 0.1 13 41.09 973
Ac 227 7 3 f 2 0 1 0 1.1 2.15 2.47 5.38 0.35 48 22.55 1323
Th 232.04 7 3 f 2 0 2 0 1.3 2.06 2.45 6.307 0.6077 47 19.8 2115
Pa 231.04 7 3 f 2 0 1 2 1.5 2.00 2.43 5.89 0.55 46 15.18 1841
U 238.03 7 3 f 2 0 1 3 1.38 1.96 2.41 6.194 0.315 45 12.49 1405.3
Np 237 7 3 f 2 0 1 4 1.36 1.90 2.39 6.266 0.48 44 11.59 910
Pu 244 7 3 f 2 0 0 6 1.28 1.87 2.43 6.026 -0.5 43 12.29 912.5
Am 243 7 3 f 2 0 0 7 1.3 1.80 2.44 5.974 0.1 42 17.63 1449
Cm 247 7 3 f 2 0 1 7 1.3 1.69 2.45 5.991 0.28 41 18.05 1613
Bk 247 7 3 f 2 0 0 9 1.3 - 2.44 6.198 - 40 16.84 1259
Cf 251 7 3 f 2 0 0 10 1.3 - 2.45 6.282 - 39 16.5 1173
Es 252 7 3 f 2 0 0 11 1.3 - 2.45 6.368 - 38 28.52 1133
Fm 257 7 3 f 2 0 0 12 1.3 - 2.45 6.5 - 37 - 1800
Md 258 7 3 f 2 0 0 13 1.3 - 2.46 6.58 - 36 - 1100
No 259 7 3 f 2 0 0 14 1.3 - 2.46 6.626 - 35 - 1100
Lr 262 7 3 d 2 1 0 14 1.3 - - 4.96 - 34 - 1900
Rf 267 7 4 d 2 0 2 14 - - - 6.02 - - - -
Db 268 7 5 d 2 0 3 14 - - - - - - - -
Sg 269 7 6 d 2 0 4 14 - - - - - - - -
Bh 270 7 7 d 2 0 5 14 - - - - - - - -
Hs 270 7 8 d 2 0 6 14 - - - - - - - -
Mt 278 7 9 d 2 0 7 14 - - - - - - - -
Ds 281 7 10 d 2 0 8 14 - - - - - - - -
Rg 282 7 11 d 2 0 9 14 - - - - - - - -
Cn 285 7 12 d 2 0 10 14 - - - - - - - -
Nh 286 7 13 p 2 1 10 14 - - - - - - - -
Fl 289 7 14 p 2 2 10 14 - - - - - - - -
Mc 290 7 15 p 2 3 10 14 - - - - - - - -
Lv 293 7 16 p 2 4 10 14 - - - - - - - -
Ts 294 7 17 p 2 5 10 14 - - - - - - - -
Og 294 7 18 p 2 6 10 14 - - - - - - - -
"""

_ROWS = tuple(line.split() for line in _TABLE.strip().splitlines())
SYMBOLS: tuple[str, ...] = ("", *(row[0] for row in _ROWS))
"""Symbols indexed by atomic number; index 0 is empty."""
_NUMBERS = {name: z for z, name in enumerate(SYMBOLS) if name} | {"D": 1, "T": 1}


def symbol(atomic_number: int) -> str:
    """The symbol of an element, `symbol(26) == "Fe"`.

    Raises:
        InputError: the number is not in 1..118.
    """
    if not 1 <= atomic_number <= MAX_ATOMIC_NUMBER:
        raise InputError(f"atomic numbers lie in 1..{MAX_ATOMIC_NUMBER}, found {atomic_number}")
    return SYMBOLS[atomic_number]


def atomic_number(name: str) -> int:
    """The atomic number of a symbol, `atomic_number("Fe") == 26`; D and T are hydrogen.

    Raises:
        InputError: no such element; the message names the nearest symbol.
    """
    found = _NUMBERS.get(name)
    if found is None:
        near = _nearest_symbol(name)
        raise InputError(f"there is no element {name!r}" + (f"; did you mean {near!r}?" if near else ""))
    return found


def atomic_numbers(names: Iterable[str]) -> list[int]:
    """The atomic numbers of several symbols, in their order."""
    return [atomic_number(name) for name in names]


def _nearest_symbol(name: str) -> str | None:
    cased = name.capitalize()
    if cased in _NUMBERS:
        return cased
    near = difflib.get_close_matches(cased, _NUMBERS, n=1, cutoff=0.3)
    return near[0] if near else None


def _column(index: int) -> NDArray[np.float64]:
    """(119,) values of one table column indexed by atomic number; NaN where not known and at index 0."""
    values = np.array([np.nan, *(np.nan if row[index] == "-" else float(row[index]) for row in _ROWS)])
    values.setflags(write=False)
    return values


ATOMIC_MASS = _column(1)
"""(119,) u, indexed by atomic number; NaN at 0."""
PERIOD = _column(2)
"""(119,) 1..7."""
GROUP = _column(3)
"""(119,) 1..18; 3 for the lanthanides and actinides."""
VALENCE_SPDF = np.stack([_column(i) for i in range(5, 9)], axis=1)
"""(119, 4) electrons in the open s, p, d, f shells outside the noble-gas core."""
ELECTRONEGATIVITY = _column(9)
"""(119,) Pauling scale, no unit; NaN where none is known (He, Ne, Ar, beyond Lr)."""
COVALENT_RADIUS = _column(10)
"""(119,) Å, Cordero 2008; NaN beyond Cm."""
VDW_RADIUS = _column(11)
"""(119,) Å; NaN beyond No."""
IONISATION_ENERGY = _column(12)
"""(119,) eV, first ionisation energy."""
ELECTRON_AFFINITY = _column(13)
"""(119,) eV."""
MENDELEEV_NUMBER = _column(14)
"""(119,) Pettifor's chemical scale, 1..103."""
MOLAR_VOLUME = _column(15)
"""(119,) cm³/mol."""
MELTING_POINT = _column(16)
"""(119,) K."""
BLOCKS: tuple[str, ...] = ("", *(row[4] for row in _ROWS))
"""Block s, p, d or f indexed by atomic number; index 0 is empty."""

_CONTINUOUS = {
    "period": PERIOD,
    "group": GROUP,
    "s_electrons": VALENCE_SPDF[:, 0],
    "p_electrons": VALENCE_SPDF[:, 1],
    "d_electrons": VALENCE_SPDF[:, 2],
    "f_electrons": VALENCE_SPDF[:, 3],
    "log_mass": np.log(ATOMIC_MASS),
    "electronegativity": ELECTRONEGATIVITY,
    "covalent_radius": COVALENT_RADIUS,
    "vdw_radius": VDW_RADIUS,
    "ionisation_energy": IONISATION_ENERGY,
    "electron_affinity": ELECTRON_AFFINITY,
    "mendeleev_number": MENDELEEV_NUMBER,
    "log_molar_volume": np.log(MOLAR_VOLUME),
    "log_melting_point": np.log(MELTING_POINT),
}


def _feature_table() -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Names and (119, n) values: block one-hot, standardised columns (missing: 0), then 1 where a column is missing."""
    columns = {f"block_{name}": np.array([float(block == name) for block in BLOCKS]) for name in "spdf"}
    masks: dict[str, NDArray[np.float64]] = {}
    for name, values in _CONTINUOUS.items():
        missing = np.isnan(values)
        standard = (values - np.nanmean(values)) / np.nanstd(values)
        columns[name] = np.where(missing, 0.0, standard)
        if missing[1:].any():
            masks[f"{name}_missing"] = missing.astype(np.float64)
    columns |= masks
    table = np.stack(list(columns.values()), axis=1).astype(np.float32)
    table.setflags(write=False)
    return tuple(columns), table


FEATURE_NAMES, ELEMENT_FEATURES = _feature_table()
"""Column names and the (119, n_features) float32 table indexed by atomic number: mean 0 and variance 1 over the
elements where a value is known, 0 where it is missing, with one extra 0/1 column for each column that has
missing values."""
