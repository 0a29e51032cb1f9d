"""Which data block of a CIF holds the crystal: journals and refinement programs write several into one file."""

from __future__ import annotations

from matwright.errors import InputError

_ATOMS = ("_atom_site_fract_x", "_atom_site_cartn_x")


def crystal_block(text: str) -> str:
    """The one data block with atoms, of a CIF in which others hold text (authors, instrument) or are empty.

    A CIF of a single block, or in which no block has atoms, comes back whole: its parser says what is wrong.

    Raises:
        InputError: several blocks have atoms; to take one of them would lose the others unseen.
    """
    if text.count("data_") < 2:
        return text
    crystals = [(name, block) for name, block in _blocks(text) if _has_atoms(block)]
    if len(crystals) > 1:
        names = ", ".join(name for name, _ in crystals[:5]) + (", …" if len(crystals) > 5 else "")
        raise InputError(f"the CIF holds {len(crystals)} crystals ({names}); write each into a file of its own")
    return crystals[0][1] if crystals else text


def _blocks(text: str) -> list[tuple[str, str]]:
    """(name, text) of each data block; no block begins in a text between lines that start with ";"."""
    blocks: list[tuple[str, list[str]]] = []
    inside = False
    for line in text.splitlines():
        if line.startswith(";"):
            inside = not inside
        elif not inside and line.lstrip().lower().startswith("data_"):
            blocks.append((line.split()[0][len("data_") :], []))
        if blocks:
            blocks[-1][1].append(line)
    return [(name, "\n".join(lines) + "\n") for name, lines in blocks]


def _has_atoms(block: str) -> bool:
    return any(line.lstrip().lower().startswith(_ATOMS) for line in block.splitlines())
