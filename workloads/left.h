/* SPDX-License-Identifier: GPL-2.0-only */
/* left - what is still in use when all that was to be freed should be: how every hazard ends. */
#ifndef LEFT_H
#define LEFT_H

#include "swap.h"

/* What is in use before the first victim is there. */
void remember_idle(void);

/*
 * Sample left_pages, left_bytes and left_pool_bytes: the swap, the compressed bytes and
 * the memory of zram's pool in use beyond idle's. Record what a series that gathers entries says of itself (meta
 * parked_records, gathered_records and leaked_records, where the kernel has them),
 * what kmemleak finds (meta leaks) and what moved in /proc/vmstat since idle.
 */
void tell_left(void);
/* Try swapoff, last of all. */
void tell_swapoff(long deadline_ms);

/* Write a word to a file of /proc or /sys; an error if the kernel has no such file. */
void write_text(const char *path, const char *text);
bool can_write_text(const char *path, const char *text);
/* Whether the kernel has a debugfs; it is then mounted. */
bool mount_debugfs(void);

#endif
