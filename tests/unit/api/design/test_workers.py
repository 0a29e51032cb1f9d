"""Relaxation in real worker processes: one bad crystal, and one dead worker, cost what they must and no more."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from toy import prototype

from matwright.api.design.workers import relax_in_workers
from matwright.errors import InputError
from matwright.materials.crystal import Crystal
from matwright.screening.potential import Failure
from matwright.screening.relax import Outcome, Relaxation, RelaxationSettings

SETTINGS = RelaxationSettings(max_steps=3)


def test_a_bad_crystal_and_a_dead_worker_cost_only_what_they_touch() -> None:
    stranger = Crystal(lattice=4 * np.eye(3), frac_coords=np.zeros((1, 3)), numbers=np.array([110]))
    tasks = [
        (("bad", stranger), ("a", prototype(0, 12, 8)), ("b", prototype(0, 20, 8))),
        (("c", prototype(1, 30, 16)),),
    ]
    done: dict[str, Outcome] = {}
    killed: list[int | None] = []

    def on_done(identity: str, outcome: Outcome) -> None:
        assert identity not in done
        done[identity] = outcome
        if not killed:  # the first answer is that of the bad crystal; its worker dies with a and b unfinished
            (worker,) = multiprocessing.active_children()
            killed.append(worker.pid)
            worker.kill()

    relax_in_workers(tasks, potential="chgnet", settings=SETTINGS, workers=1, on_done=on_done)
    assert set(done) == {"bad", "a", "b", "c"}
    assert isinstance(done["bad"], Failure)
    assert "94" in done["bad"].reason or "elements" in done["bad"].reason
    assert all(isinstance(done[name], Relaxation) for name in "abc")
    assert multiprocessing.active_children() == []


def test_an_unknown_potential_is_the_users_error() -> None:
    with pytest.raises(InputError, match="no potential 'magic'"):
        relax_in_workers(
            [(("a", prototype(0, 12, 8)),)], potential="magic", settings=SETTINGS, workers=1, on_done=lambda *_: None
        )
