"""Float64 definitions of every feature and rule, which tests compare the core with."""
