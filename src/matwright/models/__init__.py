"""GEM-PPM: the graph-embedded property model."""
