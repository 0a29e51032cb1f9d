"""Trust in predictions: ensembles, conformal intervals, distance to the training data."""
