"""One fit for everything trainable: settings, schedule, weight averaging, resumable state."""
