// SPDX-License-Identifier: Apache-2.0
// The C bridge for Java and Kotlin. Compiled and tested with Java 17 on Linux; not run on a phone.
package mmq;

/**
 * One wearer's bridge with its network: raw samples in, windows of features and decisions out, as mmq_bridge.h and
 * mmq_decision.h describe them.
 *
 * <p>Use it from one thread. Calls return a status of mmq_bridge.h; {@link #OK} is 0. Arrays hold one row after the
 * other: samples [channels][frames], features [tokens][features], presence [tokens][modalities].
 */
public final class MmqBridge implements AutoCloseable {
    public static final int OK = 0;
    public static final int LATE = 6; // some samples came too late and were dropped
    public static final int NO_TOKEN = 7;
    public static final int NOT_READY = 8; // fewer tokens than a window needs
    public static final int ENROLLING = 9; // the wearer's baseline is still being measured
    public static final int STATE_SHORT = 12; // a saved state is cut short
    public static final int STATE_DAMAGED = 13; // it was changed, or is none
    public static final int STATE_FOREIGN = 14; // it is of another front end
    public static final int STATE_NEWER = 15; // it is of a newer core
    public static final int STATE_LATE = 16; // samples came before it
    public static final int NO_NETWORK = 19; // the C network was left out
    public static final int DECIDED = 0; // an abstention: none

    static {
        System.loadLibrary("mmq_jni");
    }

    private long handle;

    /** Shows of decisions the average of so many seconds, 0 to 3600. */
    public MmqBridge(double displayS) {
        if (!(displayS >= 0 && displayS <= 3600)) {
            throw new IllegalArgumentException("displayS: expected 0 to 3600 s, got " + displayS);
        }
        handle = create(displayS);
        if (handle == 0) throw new OutOfMemoryError("no memory for the bridge");
    }

    /** Number of a modality by its name ("ppg", "eda", ...), or -1. */
    public static native int modality(String name);

    /** The name of a modality's number, or null. */
    public static native String name(int modality);

    public static native int channels(int modality);

    /** Frames a second that a modality takes, or 0. */
    public static native float rateHz(int modality);

    /** What a status says, for people. */
    public static native String sentence(int status);

    public static native int tokens();

    public static native int features();

    public static native int modalities();

    /** Seconds of one token. */
    public static native float tokenS();

    /** Hands over samples; timeS is when the first frame was taken, in seconds since the session began. */
    public int push(int modality, float[] samples, int frames, double timeS) {
        return push(open(), modality, samples, frames, timeS);
    }

    /** Hands over a packet that carries a counter instead of a time; of firstIndex the last 32 bits count. */
    public int pushCounted(int modality, float[] samples, int frames, long firstIndex) {
        return pushCounted(open(), modality, samples, frames, firstIndex);
    }

    /**
     * Hands over one frame [channels] of a sensor with a rate of its own: what the model's rate wants is interpolated
     * between it and the one before. A sensor comes either by this or by the pushes.
     */
    public int sample(int modality, float[] frame, double timeS) {
        return sample(open(), modality, frame, timeS);
    }

    /** Bit c of off: channel c is not connected, from the next push on. */
    public int leadOff(int modality, long off) {
        return leadOff(open(), modality, off);
    }

    /** Says that it is timeS now and that nothing older will come. */
    public int advance(double timeS) {
        return advance(open(), timeS);
    }

    /** Tokens closed so far. */
    public long closed() {
        return closed(open());
    }

    /** Pops the oldest token nobody took: features [F], presence [M] as 0 or 1. */
    public int token(float[] features, byte[] presence) {
        return token(open(), features, presence);
    }

    /** The newest window: features [T][F], presence [T][M] as 0 or 1. */
    public int window(float[] features, float[] presence) {
        return window(open(), features, presence);
    }

    /** Why the modalities of a token are absent: MMQ_WHY_* bits [M], 0 where present. */
    public int reasons(long token, char[] reasons) {
        return reasons(open(), token, reasons);
    }

    /** Tasks of the model. */
    public static native int tasks();

    /** The name of a task's number, or null. */
    public static native String task(int task);

    /** Classes of a task, or 0. */
    public static native int classes(int task);

    /** The name of a class of a task, or null. */
    public static native String className(int task, int number);

    /**
     * Makes the next decision that is due, by the C network: {@link #OK}, or {@link #NO_TOKEN} where there is none. Call it
     * until then after every push. {@link #NO_NETWORK}: built with MMQ_WITH_LITERT.
     */
    public int step() {
        return step(open());
    }

    /**
     * Instead of {@link #step}, for an interpreter: goes to the next decision that is due: {@link #OK}, or {@link #NO_TOKEN} where there is none. Ask until then after
     * every push. Where {@link #abstention} is {@link #DECIDED} run the model on {@link #dueWindow} and {@link #decide};
     * anything else is the decision already.
     */
    public int due() {
        return due(open());
    }

    /** The window of the decision that is due: what model_int8_float_io.tflite reads. */
    public int dueWindow(float[] features, float[] presence) {
        return dueWindow(open(), features, presence);
    }

    /** Finishes the decision that was due, with the logits of one task after the other. */
    public int decide(float[] logits) {
        return decide(open(), logits);
    }

    /** The end of the newest decision's window, in seconds. */
    public double timeS() {
        return timeS(open());
    }

    /** Why it is not to be acted on, or {@link #DECIDED}; as it was made, or as it is shown. */
    public int abstention(boolean shown) {
        return abstention(open(), shown);
    }

    /** An abstention in words. */
    public static native String abstentionName(int abstention);

    /** Why it abstains, with its numbers, as Python says it; "" where it does not. */
    public String reason() {
        return reason(open());
    }

    /** The share of its window's tokens in which a modality was present. */
    public float present(int modality) {
        return present(open(), modality);
    }

    /** Why a modality is absent from its newest token: MMQ_WHY_* bits, 0 where it is present. */
    public int why(int modality) {
        return why(open(), modality);
    }

    /** The name of the lowest bit of reasons, or "". */
    public static native String whyName(int reasons);

    /**
     * Which sensor would help this undecided decision most, of those that can be switched on (bit m); -1 where none would,
     * or the bundle was exported without --next-sensor. Simulated on validation people.
     */
    public int nextSensor(int can) {
        return nextSensor(open(), can);
    }

    /** Its probabilities, one task after the other; returns how many, 0 where the model was not run. */
    public int probabilities(boolean shown, float[] values) {
        return probabilities(open(), shown, values);
    }

    /** The likeliest class of a task; -1 where the model was not run. */
    public int best(boolean shown, int task) {
        return best(open(), shown, task);
    }

    /** Whether that class reaches its task's threshold. */
    public boolean sure(boolean shown, int task) {
        return sure(open(), shown, task);
    }

    /**
     * Which sensors it knows too little of the wearer for: named [M] becomes 1 where a token of the window was normalised
     * by the population. A decision should say so: "not enrolled: ppg".
     */
    public int notEnrolled(byte[] named) {
        return notEnrolled(open(), named);
    }

    /** Bytes of a state. */
    public static native int stateBytes();

    /** Writes what the wearer taught [stateBytes], to outlive the app: keep it in the app's own files, it is personal. */
    public int save(byte[] state) {
        return save(open(), state);
    }

    /** Takes over what was saved, before the first push; on a status other than {@link #OK} nothing is changed. */
    public int load(byte[] state) {
        return load(open(), state);
    }

    @Override
    public void close() {
        free(handle);
        handle = 0;
    }

    private long open() {
        if (handle == 0) throw new IllegalStateException("the bridge was closed");
        return handle;
    }

    private static native long create(double displayS);

    private static native void free(long handle);

    private static native int push(long handle, int modality, float[] samples, int frames, double timeS);

    private static native int pushCounted(long handle, int modality, float[] samples, int frames, long firstIndex);

    private static native int sample(long handle, int modality, float[] frame, double timeS);

    private static native int leadOff(long handle, int modality, long off);

    private static native int advance(long handle, double timeS);

    private static native long closed(long handle);

    private static native int token(long handle, float[] features, byte[] presence);

    private static native int window(long handle, float[] features, float[] presence);

    private static native int reasons(long handle, long token, char[] reasons);

    private static native int step(long handle);

    private static native int due(long handle);

    private static native int dueWindow(long handle, float[] features, float[] presence);

    private static native int decide(long handle, float[] logits);

    private static native double timeS(long handle);

    private static native int abstention(long handle, boolean shown);

    private static native String reason(long handle);

    private static native float present(long handle, int modality);

    private static native int why(long handle, int modality);

    private static native int nextSensor(long handle, int can);

    private static native int probabilities(long handle, boolean shown, float[] values);

    private static native int best(long handle, boolean shown, int task);

    private static native boolean sure(long handle, boolean shown, int task);

    private static native int notEnrolled(long handle, byte[] named);

    private static native int save(long handle, byte[] state);

    private static native int load(long handle, byte[] state);
}
