// SPDX-License-Identifier: Apache-2.0
package mmq.sample

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.Service
import android.content.Intent
import android.content.pm.ServiceInfo
import android.hardware.SensorManager
import android.os.Build
import android.os.IBinder
import android.os.SystemClock
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.launch
import mmq.Decision
import mmq.SensorManagerSource
import mmq.SessionClock
import mmq.Wearable

/**
 * Decides while the app is not seen, and shows the newest decision as its notification. With motion alone, which is all
 * that a phone has, the model says "too little present": add the PPG, EDA and temperature of your watch to the source.
 */
class DecisionService : Service() {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
    private val manager by lazy { getSystemService(NotificationManager::class.java) }
    private val state by lazy { File(filesDir, "mmq.state") }
    private var started = false
    private var wearable: Wearable? = null

    override fun onBind(intent: Intent?): IBinder? = null

    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        manager.createNotificationChannel(NotificationChannel(CHANNEL, "@MODEL@", NotificationManager.IMPORTANCE_LOW))
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.UPSIDE_DOWN_CAKE) {
            startForeground(ID, notification("starting"), ServiceInfo.FOREGROUND_SERVICE_TYPE_HEALTH)
        } else {
            startForeground(ID, notification("starting"))
        }
        if (!started) scope.launch { run() }
        started = true
        return START_STICKY
    }

    private suspend fun run() {
        val saved = runCatching { state.readBytes() }.getOrNull()
        val opened = Wearable.open(state = saved).getOrElse { return show(it.message ?: "it cannot be opened") }
        wearable = opened
        val clock = SessionClock(SystemClock.elapsedRealtimeNanos())
        opened.follow(SensorManagerSource(getSystemService(SensorManager::class.java), clock))
        opened.keepTime { clock.timeS(SystemClock.elapsedRealtimeNanos()) }
        scope.launch { opened.faults.collect { show(it.message ?: "a fault") } }
        opened.decisions.collect { decision ->
            show(told(decision))
            opened.saveState().onSuccess { save(it) }
        }
    }

    private fun told(decision: Decision): String {
        val said = decision.shown.entries.joinToString { "${it.key}: ${it.value}" }
        return listOfNotNull(said.ifEmpty { null }, decision.reason, decision.notice).joinToString("; ")
    }

    private fun save(content: ByteArray) {
        runCatching {
            val next = File(filesDir, "mmq.state.next")
            next.writeBytes(content)
            next.renameTo(state)
        }
    }

    private fun show(text: String) = manager.notify(ID, notification(text))

    private fun notification(text: String): Notification =
        Notification.Builder(this, CHANNEL)
            .setSmallIcon(android.R.drawable.ic_menu_info_details)
            .setContentTitle("@MODEL@")
            .setContentText(text)
            .setOnlyAlertOnce(true)
            .build()

    override fun onDestroy() {
        scope.cancel()
        wearable?.close()
        super.onDestroy()
    }

    private companion object {
        const val CHANNEL = "decisions"
        const val ID = 1
    }
}
