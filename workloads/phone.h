/* SPDX-License-Identifier: GPL-2.0-only */
/* phone - apps in swap, each in a group of its own, and a memory that is full. */
#ifndef PHONE_H
#define PHONE_H

#include <stddef.h>

#include "kill.h"
#include "victims.h"

/*
 * Start the crowd as apps: each in the memory control group of its number, with an
 * oom_score_adj that is the lower the later it was started, as of apps used lately.
 *
 * Reapers are for the caller to start, after whatever is forked and outlives the killing: it
 * would keep their pipe open, and they would wait for orders for ever.
 */
void start_apps(long apps, struct recipe *recipe, const struct ways *ways);

/* Write the apps' numbers as a low-memory killer would kill them: highest oom_score_adj first. */
void order_by_adj(long *order, long apps);

/* In bytes. */
size_t free_memory(void);

/*
 * Have a process use what memory there is, but for so many bytes, and do nothing with
 * it: it may be paged out for others. An error if less is free already.
 */
void fill_memory(size_t free_bytes);

/*
 * Have reclaim put so many pages in swap: processes use memory, and hold on to it, until that
 * many are there. Which pages go, side by side or not, is reclaim's choice. An error if it
 * takes none any more.
 */
void press_out(long pages);

#endif
