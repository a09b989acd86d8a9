"""Readers of file formats that trust nothing: sizes are held against caps before anything is allocated."""
