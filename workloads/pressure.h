/* SPDX-License-Identifier: GPL-2.0-only */
/* pressure - what a lack of memory costs: stalled allocations, scanned pages, waiting. */
#ifndef PRESSURE_H
#define PRESSURE_H

/* From now on. */
void remember_pressure(void);

/*
 * Until now: sample alloc_stalls, pages_scanned, psi_some_us and psi_full_us, and record
 * what moved in /proc/vmstat.
 */
void tell_pressure(void);

#endif
