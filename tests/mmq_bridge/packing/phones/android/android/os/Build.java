// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.os;

public class Build {
    public static class VERSION {
        public static final int SDK_INT = Integer.getInteger("sdk", 36);
    }

    public static class VERSION_CODES {
        public static final int UPSIDE_DOWN_CAKE = 34;
    }
}
