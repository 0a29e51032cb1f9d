"""From candidates to evidence at scale: evaluators, the engine that runs them, the store that keeps every record."""
