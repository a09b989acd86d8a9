"""The compiled C core, called from Python."""
