// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android;

public final class R {
    public static final class drawable {
        public static final int ic_menu_info_details = 1;
    }
}
