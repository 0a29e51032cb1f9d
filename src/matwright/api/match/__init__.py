"""Match: which crystals of a library explain a measured powder pattern, and how much of each there is (F1)."""
