"""What a prediction rests on, and how the materials lie in a model's embedding space."""
