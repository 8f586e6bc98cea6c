/* SPDX-License-Identifier: GPL-2.0-only */
/* reapers - threads that free the memory of a process that dies, as a low-memory killer's do. */
#ifndef REAPERS_H
#define REAPERS_H

/* Make so many threads, which then wait. They run before all but the observer. */
void start_reapers(long number);

/* Have one of them call process_mrelease() on this victim. */
void order_reaping(long victim);

/*
 * Wait until all that was ordered is done. Record how many victims were reaped, how many
 * were gone already, and how often the kernel refused, as meta reaped, reaping_gone and
 * reaping_refused; with a metric, what each call took, whatever came of it.
 */
void finish_reaping(const char *metric);

#endif
