// SPDX-License-Identifier: Apache-2.0
// Compiled by Kotlin and run on Linux; not run on a phone.
package mmq

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.channels.BufferOverflow
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableSharedFlow
import kotlinx.coroutines.flow.asSharedFlow
import kotlinx.coroutines.flow.catch
import kotlinx.coroutines.isActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * Raw samples in, [decisions] out: this bundle in an app.
 *
 * ```
 * val wearable = Wearable.open(state = saved).getOrElse { return show(it.message) }
 * wearable.follow(SensorManagerSource(manager, clock))
 * wearable.keepTime { clock.timeS(SystemClock.elapsedRealtimeNanos()) }
 * wearable.decisions.collect { show(it) }
 * ```
 *
 * All work is done on one lane off the main thread. Nothing throws: [offer] only queues, so that a sensor's callback may
 * call it, and what goes wrong later is in [faults]; the others return results.
 */
class Wearable private constructor(
    private val session: Session,
    private val lane: CoroutineDispatcher,
    /** Why a state was not taken over, so that this wearer enrols anew; null where it was, or there was none. */
    val stateFault: Fault?,
) : AutoCloseable {
    private val scope = CoroutineScope(SupervisorJob() + lane)
    private val queue = Channel<Samples>(QUEUED)
    private val said = MutableSharedFlow<Decision>(1, KEPT, BufferOverflow.DROP_OLDEST)
    private val failed = MutableSharedFlow<Fault>(1, KEPT, BufferOverflow.DROP_OLDEST)

    /** The decisions, oldest first; who comes later gets the newest at once. */
    val decisions: Flow<Decision> = said.asSharedFlow()

    /** What went wrong with samples that were offered or followed. Nothing has to be done: decisions go on. */
    val faults: Flow<Fault> = failed.asSharedFlow()

    init {
        scope.launch { for (samples in queue) told(session.push(samples)) }
    }

    /** Queues samples, from any thread; false where the queue is full or this was closed: they are lost, as a gap. */
    fun offer(samples: Samples): Boolean = queue.trySend(samples).isSuccess

    /** Takes samples now; also returns the decisions that they complete, mostly none. */
    suspend fun push(samples: Samples): Result<List<Decision>> = withContext(lane) { told(session.push(samples)) }

    /** It is [timeS] now and nothing older will come; [keepTime] does it. */
    suspend fun advance(timeS: Double): Result<List<Decision>> = withContext(lane) { told(session.advance(timeS)) }

    /** Offers what a source delivers until the job is cancelled, the source ends or this is closed. */
    fun follow(source: SampleSource): Job = scope.launch {
        source.samples().catch { emit(Result.failure(it)) }.collect { result ->
            result.onSuccess { offer(it) }.onFailure { failed.tryEmit(fault(it)) }
        }
    }

    /** Says once a second what time it is, less [graceS] for late samples: all sensors may be silent. */
    fun keepTime(graceS: Double = 3.0, nowS: () -> Double): Job = scope.launch {
        while (isActive) {
            told(session.advance(nowS() - graceS))
            delay(1000)
        }
    }

    /** What the wearer taught, for [open] of the next start: keep it in the app's own files, it is personal. */
    suspend fun saveState(): Result<ByteArray> = withContext(lane) { session.saveState() }

    private fun told(result: Result<List<Decision>>): Result<List<Decision>> =
        result.onSuccess { made -> made.forEach { said.tryEmit(it) } }.onFailure { failed.tryEmit(fault(it)) }

    /** Ends all that follows; memory is freed on the lane, after what runs there now. */
    override fun close() {
        queue.close()
        CoroutineScope(lane + NonCancellable).launch {
            session.close()
            scope.cancel()
        }
    }

    companion object {
        private const val QUEUED = 4096
        private const val KEPT = 64

        private fun fault(error: Throwable): Fault = error as? Fault ?: Fault(error.message ?: error.toString(), null, error)

        /**
         * Opens this bundle's device off the calling thread. What is shown is the average of the decisions of the last
         * [displayS] seconds; 0 shows each as it is. A [state] of [saveState] resumes an enrolment; see [stateFault].
         */
        @OptIn(ExperimentalCoroutinesApi::class)
        suspend fun open(
            displayS: Double = 30.0,
            state: ByteArray? = null,
            dispatcher: CoroutineDispatcher = Dispatchers.Default,
            model: (() -> WindowModel)? = null,
        ): Result<Wearable> {
            val lane = dispatcher.limitedParallelism(1)
            return withContext(lane) {
                runCatching {
                    val session = Session(displayS, model?.invoke())
                    Wearable(session, lane, state?.let { session.loadState(it).exceptionOrNull() }?.let(::fault))
                }.recoverCatching { throw fault(it) }
            }
        }
    }
}
