"""Public laws and generated inputs, for the tests of this package and of models written on it."""
