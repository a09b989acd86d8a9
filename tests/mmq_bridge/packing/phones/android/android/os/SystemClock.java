// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.os;

public final class SystemClock {
    public static long elapsedRealtimeNanos() {
        return System.nanoTime();
    }
}
