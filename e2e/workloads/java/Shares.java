// SPDX-License-Identifier: Apache-2.0

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import java.util.zip.CRC32;

/**
 * Java code with known shares of CPU time. usage: Shares SECONDS
 *
 * <p>Each kind of work runs for a slice of CPU time in turn. What each really got is measured by
 * the thread's own clock and printed at the end, one line each: NAME SECONDS.
 */
public final class Shares {
    private static final long SLICE_NS = 4_000_000;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final Map<String, Long> SPENT = new ConcurrentHashMap<>();
    private static final byte[] DATA = new byte[1 << 16];
    private static final int[] NUMBERS = IntStream.range(0, 5000).map(i -> i * 7919 % 5003).toArray();
    private static volatile long kept;

    private interface Step {
        long run() throws Exception;
    }

    /** Runs a step until the budget of CPU time is spent, and books it. */
    private static void timed(String name, long budget, Step step) throws Exception {
        long start = THREADS.getCurrentThreadCpuTime();
        while (THREADS.getCurrentThreadCpuTime() - start < budget) {
            kept += step.run();
        }
        SPENT.merge(name, THREADS.getCurrentThreadCpuTime() - start, Long::sum);
    }

    private static long loopLeaf() {
        long total = 0;
        for (int i = 0; i < 100_000; i++) {
            total += i * i % 7;
        }
        return total;
    }

    private static long plain() {
        return loopLeaf();
    }

    private static int mix(int value) {
        return (value * 31 ^ value >>> 3) % 1009;
    }

    /** Small enough for the compilers to put mix() into it. */
    private static long inlining() {
        long total = 0;
        for (int i = 0; i < 100_000; i++) {
            total += mix(i);
        }
        return total;
    }

    private interface Shape {
        long area(int n);
    }

    private abstract static class Figure implements Shape {
        abstract long sides();

        @Override
        public long area(int n) {
            long total = 0;
            for (int i = 0; i < n; i++) {
                total += i % sides();
            }
            return total;
        }
    }

    private static final class Square extends Figure {
        @Override
        long sides() {
            return 4;
        }
    }

    private static final class Triangle extends Figure {
        @Override
        long sides() {
            return 3;
        }
    }

    private static final class Circle implements Shape {
        @Override
        public long area(int n) {
            long total = 0;
            for (int i = 0; i < n; i++) {
                total += i * 355L / 113;
            }
            return total;
        }
    }

    private static final Shape[] SHAPES = {new Square(), new Triangle(), new Circle()};

    private static long interfaces() {
        long total = 0;
        for (Shape shape : SHAPES) {
            total += shape.area(20_000);
        }
        return total;
    }

    private static long lambda(IntUnaryOperator operator) {
        long total = 0;
        for (int i = 0; i < 50_000; i++) {
            total += operator.applyAsInt(i);
        }
        return total;
    }

    private static long stream() {
        return IntStream.range(0, 50_000).filter(i -> i % 3 != 0).mapToLong(i -> i * 5L).sum();
    }

    private long recurse(int depth) {
        if (depth > 0) {
            return recurse(depth - 1);
        }
        return deepLeaf();
    }

    private long deepLeaf() {
        long total = 0;
        for (int i = 0; i < 100_000; i++) {
            total += i % 5;
        }
        return total;
    }

    /**
     * Never compiled: the compiler writes a finally block down twice, so the innermost one is there
     * 512 times, and a method of more than 8,000 bytes of byte code is always interpreted.
     */
    private static long interpreted() {
        long t = 0;
        for (int i = 0; i < 3000; i++) {
            t += i * t ^ i;
        }
        try { t++; } finally { try { t++; } finally { try { t++; } finally { try { t++; } finally {
        try { t++; } finally { try { t++; } finally { try { t++; } finally { try { t++; } finally {
        try { t++; } finally { t = t * 31 + 7 ^ t >>> 3; } } } } } } } } }
        return t;
    }

    /**
     * A stub of the machine, or a native method. It is a class of its own because the compilers
     * leave no note of which inlined method called a stub, only of which compiled one.
     */
    private static final class Checksum implements Step {
        @Override
        public long run() {
            CRC32 crc = new CRC32();
            for (int i = 0; i < 20; i++) {
                crc.update(DATA, 0, DATA.length);
            }
            return crc.getValue();
        }
    }

    private static long sorted() {
        int[] copy = NUMBERS.clone();
        Arrays.sort(copy);
        return copy[1];
    }

    /** Code of the machine itself, which Java code calls. */
    private static long thrown() {
        long total = 0;
        for (int i = 0; i < 20; i++) {
            total += new IllegalStateException("counted").getStackTrace().length;
        }
        return total;
    }

    private static long callee() {
        return loopLeaf();
    }

    /** In both threads of a pool at once. */
    private static void inPool(ExecutorService pool) throws Exception {
        Callable<Void> task = () -> {
            timed("pooled", SLICE_NS, Shares::pooled);
            return null;
        };
        pool.invokeAll(Arrays.asList(task, task));
    }

    private static long pooled() {
        return loopLeaf();
    }

    public static void main(String[] args) throws Exception {
        long end = System.nanoTime() + (long) (Double.parseDouble(args[0]) * 1e9);
        Method method = Shares.class.getDeclaredMethod("callee");
        Shares shares = new Shares();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        while (System.nanoTime() < end) {
            timed("plain", SLICE_NS * 2, Shares::plain);
            timed("inlining", SLICE_NS, Shares::inlining);
            timed("interfaces", SLICE_NS * 2, Shares::interfaces);
            timed("lambda", SLICE_NS, () -> lambda(i -> i * 3 ^ 5));
            timed("stream", SLICE_NS, Shares::stream);
            timed("recurse", SLICE_NS * 2, () -> shares.recurse(60));
            timed("interpreted", SLICE_NS * 2, Shares::interpreted);
            timed("checksum", SLICE_NS, new Checksum());
            timed("sorted", SLICE_NS, Shares::sorted);
            timed("thrown", SLICE_NS, Shares::thrown);
            timed("callee", SLICE_NS, () -> (Long) method.invoke(null));
            inPool(pool);
        }
        pool.shutdown();
        for (Map.Entry<String, Long> each : SPENT.entrySet()) {
            System.out.println(each.getKey() + " " + each.getValue() / 1e9);
        }
    }
}
