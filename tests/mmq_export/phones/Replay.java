// SPDX-License-Identifier: Apache-2.0
/* Pushes what comes from standard input through MmqBridge; prints every token, its reasons, every window and
 * every decision. Those are of the C network; after the word "halves" of a model of its own, which says of a window its
 * last feature and the presence of its first sensor. */
import java.io.*;
import java.nio.*;
import mmq.MmqBridge;

public class Replay {
    static final int T = MmqBridge.tokens(), F = MmqBridge.features(), M = MmqBridge.modalities();

    static boolean inHalves;

    public static void main(String[] arguments) throws IOException {
        if (arguments[0].equals("misuse")) {
            misuse();
            return;
        }
        inHalves = arguments[0].equals("halves");
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        OutputStream out = new BufferedOutputStream(System.out);
        byte[] state = null, head = new byte[20];
        while (in.read(head, 0, 1) == 1) state = session(in, head, state, out);
        out.write(state);
        out.flush();
    }

    /** Until the input ends or says -1 for a modality, where the app is started again; returns what was learnt. */
    static byte[] session(DataInputStream in, byte[] head, byte[] learnt, OutputStream out) throws IOException {
        byte[] state = new byte[MmqBridge.stateBytes()];
        try (MmqBridge bridge = new MmqBridge(30)) {
            if (learnt != null && bridge.load(learnt) != MmqBridge.OK) throw new IllegalStateException("load");
            long taken = 0;
            do {
                in.readFully(head, 1, 19);
                ByteBuffer h = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
                if (h.getInt(0) == -1) break;
                byte[] body = new byte[4 * h.getInt(8)];
                in.readFully(body);
                float[] samples = new float[h.getInt(8)];
                ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(samples);
                int status = bridge.push(h.getInt(0), samples, h.getInt(4), h.getDouble(12));
                if (status != MmqBridge.OK) throw new IllegalStateException("push: " + status);
                for (; taken < bridge.closed(); taken++) token(bridge, taken, out);
                while (next(bridge) == MmqBridge.OK) decision(bridge, out);
            } while (in.read(head, 0, 1) == 1);
            if (bridge.save(state) != MmqBridge.OK) throw new IllegalStateException("save");
        }
        return state;
    }

    static void token(MmqBridge bridge, long number, OutputStream out) throws IOException {
        float[] features = new float[F], window = new float[T * F], present = new float[T * M];
        byte[] presence = new byte[M];
        char[] reasons = new char[M];
        if (bridge.token(features, presence) != 0 || bridge.reasons(number, reasons) != 0) throw new IOException("token");
        int status = bridge.window(window, present);
        ByteBuffer text = ByteBuffer.allocate(4 * F + M + 2 * M + 4 + 4 * T * (F + M)).order(ByteOrder.LITTLE_ENDIAN);
        for (float x : features) text.putFloat(x);
        text.put(presence);
        for (char bits : reasons) text.putChar(bits);
        text.putInt(status);
        for (float x : window) text.putFloat(x);
        for (float x : present) text.putFloat(x);
        out.write(text.array());
    }

    static int next(MmqBridge bridge) throws IOException {
        if (!inHalves) return bridge.step();
        int status = bridge.due();
        if (status != MmqBridge.OK || bridge.abstention(false) != MmqBridge.DECIDED) return status;
        float[] window = new float[T * F], present = new float[T * M];
        if (bridge.dueWindow(window, present) != MmqBridge.OK) throw new IOException("window");
        return bridge.decide(new float[] {window[T * F - 1], present[0]});
    }

    static void decision(MmqBridge bridge, OutputStream out) throws IOException {
        byte[] named = new byte[M];
        if (bridge.notEnrolled(named) != MmqBridge.OK) throw new IOException("named");
        ByteBuffer text = ByteBuffer.allocate(8 + M + 2 * (4 + 4 + 4 + 4 + 8)).order(ByteOrder.LITTLE_ENDIAN);
        text.putDouble(bridge.timeS()).put(named);
        for (boolean shown : new boolean[] {false, true}) {
            float[] p = new float[2];
            text.putInt(bridge.abstention(shown)).putInt(bridge.probabilities(shown, p)).putInt(bridge.best(shown, 0));
            text.putInt(bridge.sure(shown, 0) ? 1 : 0).putFloat(p[0]).putFloat(p[1]);
        }
        out.write(text.array());
    }

    static void misuse() {
        MmqBridge bridge = new MmqBridge(30);
        float[] chunk = new float[10];
        System.out.println(MmqBridge.modality("ppg") + " " + MmqBridge.modality("ecg") + " " + MmqBridge.modality(null));
        System.out.println(MmqBridge.channels(3) + " " + MmqBridge.channels(-1) + " " + MmqBridge.channels(99));
        System.out.println(bridge.push(-1, chunk, 1, 0) + " " + bridge.push(99, chunk, 1, 0));
        System.out.println(bridge.push(0, chunk, 11, 0) + " " + bridge.push(3, chunk, 4, 0) + " " + bridge.push(0, chunk, -1, 0));
        System.out.println(bridge.push(0, null, 1, 0) + " " + bridge.push(0, chunk, 1, Double.NaN) + " " + bridge.leadOff(9, 1));
        System.out.println(bridge.window(new float[T * F], new float[T * M - 1]) + " " + bridge.window(null, new float[T * M]));
        System.out.println(bridge.token(new float[F - 1], new byte[M]) + " " + bridge.reasons(0, new char[M - 1]));
        System.out.println(bridge.token(new float[F], new byte[M]) + " " + bridge.window(new float[T * F], new float[T * M]));
        System.out.println(MmqBridge.name(0) + " " + MmqBridge.name(3) + " " + MmqBridge.name(-1) + " " + MmqBridge.name(99));
        System.out.println(MmqBridge.tasks() + " " + MmqBridge.task(0) + " " + MmqBridge.task(1) + " " + MmqBridge.classes(0)
                + " " + MmqBridge.classes(-1) + " " + MmqBridge.className(0, 1) + " " + MmqBridge.className(0, 2));
        System.out.println(bridge.notEnrolled(null) + " " + bridge.notEnrolled(new byte[M - 1]) + " " + bridge.due());
        System.out.println(bridge.decide(null) + " " + bridge.decide(new float[1]) + " " + bridge.dueWindow(null, chunk)
                + " " + bridge.dueWindow(chunk, chunk) + " " + bridge.probabilities(true, null) + " " + bridge.best(false, 0)
                + " " + bridge.sure(true, 9) + " " + MmqBridge.abstentionName(1) + " " + MmqBridge.abstentionName(-1));
        byte[] state = new byte[MmqBridge.stateBytes()], damaged;
        System.out.println(bridge.save(null) + " " + bridge.save(new byte[state.length - 1]) + " " + bridge.save(state));
        damaged = state.clone();
        damaged[20] ^= 1;
        System.out.println(bridge.load(null) + " " + bridge.load(new byte[0]) + " " + bridge.load(damaged) + " " + bridge.load(state));
        System.out.println(bridge.step());
        System.out.println(bridge.advance(7.5) + " " + bridge.closed() + " " + MmqBridge.tokenS());
        System.out.println(bridge.load(state));
        bridge.close();
        bridge.close();
        try (MmqBridge none = new MmqBridge(Double.NaN)) {
            none.due();
        } catch (IllegalArgumentException error) {
            System.out.println(error.getMessage());
        }
        try {
            bridge.closed();
        } catch (IllegalStateException error) {
            System.out.println(error.getMessage());
        }
    }
}
