// SPDX-License-Identifier: Apache-2.0
// Stands in for Android's class of this name: what the sources call, no more.
package android.app;

import android.content.Context;
import android.os.Bundle;

public class Activity extends Context {
    protected void onCreate(Bundle savedInstanceState) {}

    public final void requestPermissions(String[] permissions, int requestCode) {}

    public void onRequestPermissionsResult(int requestCode, String[] permissions, int[] grantResults) {}

    public void finish() {}
}
