"""The verbs of matwright: the one place where its parts are put together."""
