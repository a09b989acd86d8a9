// SPDX-License-Identifier: Apache-2.0
package mmq.sample

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.os.Bundle

/** Asks for what the service needs, starts it, and goes. */
class StartActivity : Activity() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        requestPermissions(arrayOf(Manifest.permission.ACTIVITY_RECOGNITION, Manifest.permission.POST_NOTIFICATIONS), 0)
    }

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<String>, grantResults: IntArray) {
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        startForegroundService(Intent(this, DecisionService::class.java))
        finish()
    }
}
