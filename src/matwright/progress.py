"""How long work tells where it stands: a small protocol, silent unless somebody listens."""

from __future__ import annotations

from typing import Protocol, final


class Progress(Protocol):
    """Listens to one stage at a time: start, advance…, finish; then the next stage."""

    def start(self, stage: str, total: int | None = None) -> None:
        """Begin a stage of `total` steps (None: unknown); a stage still open is finished first."""
        ...

    def advance(self, n: int = 1) -> None:
        """Say that `n` more steps of the stage are done."""
        ...

    def note(self, text: str) -> None:
        """Show one short line that belongs to the present stage, for instance the latest error."""
        ...

    def finish(self) -> None:
        """End the stage."""
        ...


@final
class _Silent:
    def start(self, stage: str, total: int | None = None) -> None:
        pass

    def advance(self, n: int = 1) -> None:
        pass

    def note(self, text: str) -> None:
        pass

    def finish(self) -> None:
        pass


def silent() -> Progress:
    """Return a listener that shows nothing."""
    return _Silent()


def prefixed(progress: Progress, prefix: str) -> Progress:
    """Return a listener that passes everything on, the names of stages after `prefix`."""
    return _Prefixed(progress, prefix)


@final
class _Prefixed:
    def __init__(self, inner: Progress, prefix: str) -> None:
        self._inner, self._prefix = inner, prefix

    def start(self, stage: str, total: int | None = None) -> None:
        self._inner.start(self._prefix + stage, total)

    def advance(self, n: int = 1) -> None:
        self._inner.advance(n)

    def note(self, text: str) -> None:
        self._inner.note(text)

    def finish(self) -> None:
        self._inner.finish()
