/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * curve - free memory over time, seen by a thread of its own.
 *
 * Looks at fixed times after start_curve(), whatever else goes on, so that the
 * curves of two kernels have the same points. What it costs is told as curve_cpu_ns.
 */
#ifndef CURVE_H
#define CURVE_H

#include <stdint.h>

#define CURVE_INTERVAL_NS	5000000
#define CURVE_POINTS		40

/* Call it before anything is timed: it makes the thread, which then waits. */
void prepare_curve(void);

/* From now on, at `start`, there is a look every CURVE_INTERVAL_NS. */
void start_curve(int64_t start);

/* Wait for the last look and tell all as samples of `metric`, labelled with ns since start. */
void tell_curve(const char *metric);

#endif
