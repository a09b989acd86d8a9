# SPDX-License-Identifier: Apache-2.0
from mmq_tf.cli import main

main()
