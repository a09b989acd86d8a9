"""One C source on every target: build it, replay the same samples, compare every bit that comes out."""
