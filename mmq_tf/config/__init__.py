"""Every run is one validated TOML file."""
