# SPDX-License-Identifier: Apache-2.0
"""HTML pages and figures, and the files a finished run or evaluation consists of."""
