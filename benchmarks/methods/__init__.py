# SPDX-License-Identifier: Apache-2.0
"""Measurements that only the benchmarks here need."""
