// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.app;

import android.content.Context;
import android.content.Intent;
import android.os.IBinder;

public abstract class Service extends Context {
    public static final int START_STICKY = 1;

    public int onStartCommand(Intent intent, int flags, int startId) {
        return 0;
    }

    public abstract IBinder onBind(Intent intent);

    public void onDestroy() {}

    public final void startForeground(int id, Notification notification) {}

    public final void startForeground(int id, Notification notification, int type) {}
}
