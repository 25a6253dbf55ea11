# SPDX-License-Identifier: Apache-2.0
"""Burns CPU time in three functions: 60, 30 and 10 percent, as hot.c does; until it is killed."""
import time


def burn_leaf(until):
    while time.thread_time() < until:
        for _ in range(200):
            pass


def burn_sixty(slice_s):
    burn_leaf(time.thread_time() + 6 * slice_s)


def burn_thirty(slice_s):
    burn_leaf(time.thread_time() + 3 * slice_s)


def burn_ten(slice_s):
    burn_leaf(time.thread_time() + slice_s)


def serve_requests():
    while True:
        burn_sixty(0.003)
        burn_thirty(0.003)
        burn_ten(0.003)


serve_requests()
