"""The errors matwright raises on purpose; each message is one clear sentence."""


class MatwrightError(Exception):
    """Base of every error that matwright raises on purpose."""


class InputError(MatwrightError):
    """What the user gave is wrong: the message says what was found, what is allowed and what to do (exit code 2)."""


class ResourceError(MatwrightError):
    """The machine cannot go on, for instance a full disk: the message says which resource (exit code 2)."""


class CalculationError(MatwrightError):
    """A calculation on one material failed; the caller records it as that material's reason and goes on."""
