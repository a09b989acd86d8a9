"""From tokens to a decision: the bundle's manifest, its model, the device."""
