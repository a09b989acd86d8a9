/* Feeds the JNI bridge with pushes from standard input and prints the last window. */
import java.io.*; import java.nio.*;
public class Wearable {
    static native int start();
    static native int push(int modality, FloatBuffer samples, int frames, double time);
    static native int window(ByteBuffer features, ByteBuffer presence);
    public static void main(String[] a) throws Exception {
        System.load(a[0]);
        int features = Integer.parseInt(a[1]), presence = Integer.parseInt(a[2]);
        ByteBuffer f = ByteBuffer.allocateDirect(features), p = ByteBuffer.allocateDirect(presence);
        FloatBuffer x = ByteBuffer.allocateDirect(4096).order(ByteOrder.nativeOrder()).asFloatBuffer();
        if (start() != 0 || push(99, x, 1, 0) != 4 || push(0, x, 5000, 0) != 1) System.exit(9);
        if (window(p, p) != 1) System.exit(9);
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in));
        OutputStream out = new BufferedOutputStream(System.out);
        byte[] head = new byte[28], row = new byte[features];
        while (in.read(head, 0, 1) == 1) {
            in.readFully(head, 1, 27);
            ByteBuffer h = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN);
            byte[] body = new byte[4 * h.getInt(8)];
            in.readFully(body);
            x.clear();
            x.put(ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer());
            if (push(h.getInt(0), x, h.getInt(4), h.getDouble(12)) != 0) System.exit(8);
        }
        if (window(f, p) != 0) System.exit(7);
        f.get(row);
        out.write(row);
        out.flush();
    }
}
