/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curve - free memory and busy CPUs over time, seen by a thread of its own.
 *
 * Looks at fixed times after start_curve(), whatever else goes on, so that the
 * curves of two kernels have the same points.
 */
#ifndef CURVE_H
#define CURVE_H

#include <stdint.h>

#define CURVE_INTERVAL_NS	5000000
#define CURVE_POINTS		40	/* of a storm that begins at once */
#define MAX_CURVE_POINTS	800

/*
 * Call it 200 ms before anything is timed: it makes the thread, which sees whether it
 * is on time on an idle machine, and then waits. An error if it is not.
 */
void prepare_curve(long points);

/* From now on, at `start`, there is a look every CURVE_INTERVAL_NS. */
void start_curve(int64_t start);

/* The CPU time that its looks took so far. */
int64_t curve_cpu_ns(void);

/*
 * Wait for the last look. Tell all as samples of free_kib, labelled with ns since start, and
 * the busiest 10 ms of all CPUs together as cpu_peak_permille: 1000 is every CPU.
 */
void tell_curve(void);

#endif
