"""Real outputs of VASP 6.3, which ASE ships with its tests, and what becomes of them when a run ends otherwise."""

from __future__ import annotations

import re
from importlib import resources

_FOLDER = resources.files("ase.test") / "testdata" / "vasp"


def diamond() -> str:
    """C in the LDA at 3.57 Å under PSTRESS = 1 kB, one point."""
    return (_FOLDER / "vasprun_pstress.xml").read_text(encoding="latin-1")


def salt() -> str:
    """NaCl in PBE at 5.455 Å with its linear response, one point."""
    return (_FOLDER / "vasprun_dfpt.xml").read_text(encoding="latin-1")


def with_tag(text: str, name: str, value: str) -> str:
    """Another value of one of the program's parameters, which must be there."""
    head, begin, parameters = text.partition("<parameters>")
    changed, count = re.subn(rf'(name="{name}">)[^<]*(</i>)', rf"\g<1>{value}\g<2>", parameters)
    assert begin
    assert count, name
    return head + begin + changed


def relaxation(limit: int, steps: int = 3) -> str:
    """A relaxation of diamond in `steps` ionic steps, the last with another energy, of at most `limit`."""
    text = with_tag(with_tag(diamond(), "NSW", str(limit)), "IBRION", "2")
    start, end = text.index(" <calculation>"), text.index("</calculation>") + len("</calculation>\n")
    one = text[start:end]
    last = one.replace("-20.23985977", "-20.33985977").replace("0.25000000 ", "0.24000000 ")
    return text[:start] + one * (steps - 1) + last + text[end:]
