"""Dear rungs in worker processes, one thread each; chunks are fixed, so that their number does not change a result."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from matwright.api.design.records import DesignRecord
from matwright.api.design.workers import interrupts_held
from matwright.api.screen.settings import ScreenSettings
from matwright.errors import ResourceError
from matwright.screening.stage import Climb, Stage

_stage: Stage | None = None  # of a worker process, loaded once


def climb_in_workers(
    rung: str,
    settings: ScreenSettings,
    chunks: Iterable[Sequence[DesignRecord]],
    *,
    workers: int,
    on_done: Callable[[Sequence[DesignRecord], Sequence[Climb]], None],
) -> None:
    """Climb one rung with every chunk; `on_done(chunk, climbs)` is called in this process as each one ends.

    Whatever interrupts the caller ends the workers at once.

    Raises:
        ResourceError: a worker died (for instance for want of memory); what was done is kept.
        InputError: the stage cannot be loaded.
    """
    context = multiprocessing.get_context("spawn")  # torch and threads do not survive a fork
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start)
    try:
        with interrupts_held():
            waiting = {pool.submit(_climb, rung, settings, chunk): chunk for chunk in chunks}
        for ended in as_completed(waiting):
            on_done(waiting[ended], ended.result())
    except BrokenProcessPool:
        raise ResourceError(
            f"a worker process of the rung {rung} died, perhaps for want of memory; "
            "go on with --resume and fewer --workers"
        ) from None
    except BaseException:
        for child in multiprocessing.active_children():
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    """One thread, and no denormal numbers."""
    import torch  # heavy: behind its door

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _climb(rung: str, settings: ScreenSettings, chunk: Sequence[DesignRecord]) -> list[Climb]:
    global _stage  # noqa: PLW0603 (a worker's own: it loads its stage once)
    if _stage is None:
        from matwright.api.screen.stages import StageLoader

        _stage = StageLoader(settings).load(rung)
    return _stage.climb(chunk)
