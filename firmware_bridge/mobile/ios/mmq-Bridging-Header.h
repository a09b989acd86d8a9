/* SPDX-License-Identifier: Apache-2.0 */
/* not run here: name this file as the target's Objective-C bridging header, so that Swift sees the C bridge. */
#include "mmq_device.h"
