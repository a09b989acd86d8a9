"""The versioned description of how samples become tokens."""
