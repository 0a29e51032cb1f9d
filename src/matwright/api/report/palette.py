"""A colour for each element: the customary ones where chemists have a custom, families of hues elsewhere."""

from __future__ import annotations

import colorsys
from math import isnan

from matwright.elements import BLOCKS, GROUP, PERIOD, atomic_number

_CUSTOMARY = {
    "H": "#e6eaf0", "Li": "#b07cf0", "Be": "#a8c94a", "B": "#f0a99a", "C": "#626b78", "N": "#4a6ee0", "O": "#e5483a",
    "F": "#7ed05c", "Na": "#9c70e6", "Mg": "#74bf6b", "Al": "#b9a7b0", "Si": "#dcbd92", "P": "#f09033", "S": "#e9c832",
    "Cl": "#43c052", "K": "#8450cc", "Rb": "#7a3fb8", "Cs": "#6a35a0", "Ca": "#57b27a",
    "Ti": "#9aa6b5", "V": "#a79db0", "Cr": "#7f97c9",
    "Mn": "#a67ac7", "Fe": "#d2703a", "Co": "#ea8ca4", "Ni": "#5cbc70", "Cu": "#c98247", "Zn": "#868fbd",
    "Se": "#efa53d", "Br": "#a4392b", "Sr": "#4aa88a", "Ag": "#bcc3cc", "I": "#9138a0", "Ba": "#3f9c82",
    "Pt": "#cfd2dd", "Au": "#e3ba35",
}  # fmt: skip
_CUSTOMARY_BY_NUMBER = {atomic_number(name): colour for name, colour in _CUSTOMARY.items()}
_BLOCK_HUES = {"s": (0.74, 0.40), "p": (0.00, 0.14), "d": (0.46, 0.86), "f": (0.36, 0.52)}
_SATURATION = {"s": 0.45, "p": 0.45, "d": 0.36, "f": 0.46}


def element_colour(number: int) -> str:
    """The fill colour of an element as "#rrggbb".

    Elements without a customary colour take the hue range of their block, shifted along the group and darkened by
    period, so that neighbours in the periodic table look related and still differ.
    """
    if number in _CUSTOMARY_BY_NUMBER:
        return _CUSTOMARY_BY_NUMBER[number]
    first, last = _BLOCK_HUES[BLOCKS[number]]
    group = GROUP[number]
    along = (number % 14) / 13 if BLOCKS[number] == "f" or isnan(group) else ((group - 3) % 10) / 9
    lightness = 0.86 - 0.055 * float(PERIOD[number]) + 0.05 * (number % 2)
    hue = first + (last - first) * float(along)
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, _SATURATION[BLOCKS[number]])
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in (red, green, blue))
