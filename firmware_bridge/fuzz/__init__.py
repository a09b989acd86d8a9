# SPDX-License-Identifier: Apache-2.0
"""Fuzzing of the C core: libFuzzer targets with the address and undefined-behaviour sanitizers.

``python -m fuzz --seconds 30`` builds and runs the targets: ``push`` (any sequence of calls
on a good spec), ``spec`` (any bits as a spec) and ``head`` (a personal head of any tables and marks).
"""
