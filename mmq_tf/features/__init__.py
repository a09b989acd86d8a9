"""From recordings to windows: token streams, their cache, windows, normalisation."""
