"""Where samples come from: a recording replayed, live streams, boards."""
