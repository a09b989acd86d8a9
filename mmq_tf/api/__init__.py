# SPDX-License-Identifier: Apache-2.0
"""What `import mmq_tf` offers, without the command line: recordings, windows, runs, bundles."""
