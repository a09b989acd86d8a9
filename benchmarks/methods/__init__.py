"""Measurements that only the benchmarks here need."""
