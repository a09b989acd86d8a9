// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.app;

import android.content.Context;

public class Notification {
    public static class Builder {
        public Builder(Context context, String channel) {}

        public Builder setSmallIcon(int icon) {
            return this;
        }

        public Builder setContentTitle(CharSequence title) {
            return this;
        }

        public Builder setContentText(CharSequence text) {
            return this;
        }

        public Builder setOnlyAlertOnce(boolean once) {
            return this;
        }

        public Notification build() {
            return new Notification();
        }
    }
}
