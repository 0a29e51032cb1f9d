"""Crystals as graphs: neighbours, the one cutoff, the packed store and the batch that a model sees."""
