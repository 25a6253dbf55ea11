// SPDX-License-Identifier: Apache-2.0
package shop;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;

/** Burns CPU time in three methods: 60, 30 and 10 percent, as hot.c does; until it is killed. */
final class Hot {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private static long cpuNs() {
        return THREADS.getCurrentThreadCpuTime();
    }

    private static int burnLeaf(long until) {
        int sum = 0;
        while (cpuNs() < until) {
            for (int i = 0; i < 20000; i++)
                sum = sum * 31 + i;
        }
        return sum;
    }

    private static int burnSixty(long sliceNs) {
        return burnLeaf(cpuNs() + 6 * sliceNs);
    }

    private static int burnThirty(long sliceNs) {
        return burnLeaf(cpuNs() + 3 * sliceNs);
    }

    private static int burnTen(long sliceNs) {
        return burnLeaf(cpuNs() + sliceNs);
    }

    static int serveRequests() {
        int sum = 0;
        for (;;) {
            sum += burnSixty(3_000_000) + burnThirty(3_000_000) + burnTen(3_000_000);
            if (sum == 42)
                Thread.yield();
        }
    }

    public static void main(String[] args) {
        serveRequests();
    }

    private Hot() {}
}
