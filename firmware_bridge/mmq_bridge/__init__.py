"""Everything that runs on the device: front end, C core, runtime."""
