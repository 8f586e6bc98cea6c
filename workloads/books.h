/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * books - the CPU time of a storm: all that tasks used, less what looking took.
 *
 * Who watches for longer uses more CPU time, and that is not the kernel's doing. So the
 * time of the observer, and of the curve's thread, is read when everybody's is, and taken
 * out of it in every arm; but for what they were charged for and others did (see cpu).
 */
#ifndef BOOKS_H
#define BOOKS_H

#include <stdbool.h>
#include <stdint.h>

struct books {
	int64_t at;
	int64_t all_ns;
	int64_t observer_ns, curve_ns, foreground_ns;
};

/* Read it all; the thread that asks is the observer, and has just woken up. */
struct books read_books(void);

/*
 * Sample cpu_ns. Record the wall time between the readings as meta cpu_window_ns, and what
 * was taken out as cpu_observer_ns and cpu_curve_ns; where the foreground only looks,
 * its time is taken out as well, as cpu_foreground_ns.
 */
void tell_cpu(const struct books *before, const struct books *after, bool foreground_looks);

#endif
