"""Recordings and windows as MNE objects, and back."""
