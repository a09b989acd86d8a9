"""Where samples come from: a recording replayed, later live streams."""
