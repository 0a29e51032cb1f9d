"""Addresses: a structure and a record are known by the hash of what they are."""

from __future__ import annotations

import hashlib
import json

from matwright.materials.crystal import Crystal
from matwright.materials.crystal_json import crystal_from_json, crystal_to_json


def structure_text(crystal: Crystal) -> str:
    """The one way in which a crystal is written: compact JSON, keys in order, exact numbers, no negative zeros.

    Equal numbers give equal texts on every machine. Another cell or origin of the same material is another text, since
    a calculation depends on them.
    """
    plain = crystal_to_json(crystal)
    plain["lattice"] = (crystal.lattice + 0.0).tolist()  # -0.0 + 0.0 is 0.0
    plain["frac_coords"] = (crystal.frac_coords + 0.0).tolist()
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def structure_from_text(text: str) -> Crystal:
    """The crystal that `structure_text` wrote."""
    return crystal_from_json(json.loads(text))


def text_hash(text: str) -> str:
    """Hex SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def structure_hash(crystal: Crystal) -> str:
    """The address of a crystal: the hash of its `structure_text`."""
    return text_hash(structure_text(crystal))


def record_key(structure: str, evaluator: str) -> str:
    """The address of a record from those of its structure and its evaluator (name, version, settings)."""
    return text_hash(f"{structure}:{evaluator}")
