"""Train one network, one fold, one run, and fine-tune what was trained."""
