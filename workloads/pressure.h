/* SPDX-License-Identifier: GPL-2.0-only */
/* pressure - what a lack of memory costs: stalled allocations, scanned pages, waiting. */
#ifndef PRESSURE_H
#define PRESSURE_H

#include <stdint.h>

/* From now on. */
void remember_pressure(void);

/*
 * Until now: sample alloc_stalls, pages_scanned, psi_some_us and psi_full_us, and record
 * what moved in /proc/vmstat.
 */
void tell_pressure(void);

/* Ask the kernel to tell when tasks wait for memory for so long within half a second. */
void open_pressure_trigger(int64_t stalled_ns);
/* Return when it told; an error if it did not by then. */
int64_t await_pressure(int64_t until);

#endif
