# SPDX-License-Identifier: Apache-2.0
"""HTML pages and figures, and the files a finished run or evaluation consists of."""

from mmq_tf.utils.foreign_settings import settle_matplotlib

settle_matplotlib()
