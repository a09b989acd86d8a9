/* not run here: name this file as the target's Objective-C bridging header, so that Swift sees the C bridge. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "mmq_device.h"
