"""Parts of the campaign tests: real stores (SQLite, PostgreSQL where a server answers), crystals, plain evaluators."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import pytest

from matwright.campaign.evaluator import Evaluation, Fidelity, Quantity
from matwright.errors import InputError
from matwright.materials.crystal import Crystal

SERVER = os.environ.get("MATWRIGHT_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
"""Where a server is tried; the tests make a database of their own on it and drop it."""


@contextmanager
def store_address(kind: str, folder: Path) -> Iterator[str]:
    """The address of a store that does not exist yet; skips where there is no PostgreSQL server."""
    if kind == "sqlite":
        yield str(folder / "store.db")
        return
    psycopg = pytest.importorskip("psycopg")
    try:
        server = psycopg.connect(SERVER, autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as problem:
        pytest.skip(f"no PostgreSQL server answers at {SERVER}: {problem}")
    name = f"matwright_{secrets.token_hex(6)}"
    with server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield SERVER.rpartition("/")[0] + f"/{name}"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def rock_salt(length: float, numbers: tuple[int, int] = (11, 17)) -> Crystal:
    """A rock salt of the given lattice constant in Å; each length is another structure."""
    return Crystal(
        lattice=(1 - np.eye(3)) / 2 * length,
        frac_coords=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
        numbers=np.array(numbers),
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """An evaluator whose score is the volume of the cell; what it is called is free."""

    name: str = "volume"
    version: str = "1"
    settings: Mapping[str, Any] = field(default_factory=dict)
    fidelity: Fidelity = Fidelity.POTENTIAL
    units: Mapping[str, str] = field(default_factory=lambda: {"score": "GPa"})
    batch_size: int = 1
    cost: float = 0.0

    def prepare(self) -> None:
        pass

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        return [Evaluation(answer={"score": Quantity(value=crystal.volume, unit="GPa")}) for crystal in crystals]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaving:
    """Does to its process what it is told for a lattice constant; else gives volume, process and how it computes."""

    does: Mapping[float, str]
    prepares: bool = True
    torch: bool = False
    name: str = "misbehaving"
    version: str = "1"
    settings: Mapping[str, Any] = field(default_factory=dict)
    fidelity: Fidelity = Fidelity.DFT
    units: Mapping[str, str] = field(default_factory=lambda: dict.fromkeys(("score", "pid", "threads", "tiny"), "1"))
    batch_size: int = 1
    cost: float = 0.0

    def prepare(self) -> None:
        if not self.prepares:
            raise InputError("it cannot be prepared")
        if self.torch:
            import torch  # noqa: F401 (what is loaded here is computed with later)

    def evaluate(self, crystals: Sequence[Crystal]) -> list[Evaluation]:
        return [self._one(crystal) for crystal in crystals]

    def _one(self, crystal: Crystal) -> Evaluation:
        action = self.does.get(round(float(crystal.lattice[0, 1]) * 2, 6))
        if action is not None:
            _ACTIONS[action]()
        values = {"score": crystal.volume, "pid": float(os.getpid())}
        if self.torch:
            import torch

            tiny = torch.tensor([2.0**-126], dtype=torch.float32) * 0.5
            values |= {"threads": float(torch.get_num_threads()), "tiny": float(tiny)}
        return Evaluation(answer={name: Quantity(value=value, unit="1") for name, value in values.items()})


def _hang() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(1000.0)


def _misuse() -> None:
    raise InputError("it cannot be used so")


_ACTIONS = {
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "hang": _hang,
    "eat memory": lambda: bytearray(4 * 2**30),
    "nap": lambda: time.sleep(0.3),
    "misuse": _misuse,
}
