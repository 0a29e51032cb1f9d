"""Generators without learning that every learned one must beat: random symmetric crystals and ion exchange."""
