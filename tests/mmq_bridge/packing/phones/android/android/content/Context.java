// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.content;

public class Context {
    public <T> T getSystemService(Class<T> type) {
        return null;
    }

    public java.io.File getFilesDir() {
        return new java.io.File(".");
    }

    public android.content.ComponentName startForegroundService(Intent intent) {
        return null;
    }
}
