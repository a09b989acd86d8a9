"""How recordings lie on disk: one file per format."""
