"""What training adds or hides: artefacts in raw signals, missing tokens and channels."""
