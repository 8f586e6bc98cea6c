// SPDX-License-Identifier: GPL-2.0-only
/*
 * swapoff_race - take the swap area away while its users are being killed.
 *
 * swapoff reads back what it finds in use and cannot end before all of it is
 * gone. It may start before the first kill or, with a positive swapoff_at_us,
 * amid the exits. Who frees the memory of empty slots later has settle_ms for it,
 * and the clock says how much of them it took.
 */
#include <stdio.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

static long victims, mib, seed, random_bytes, extent_pages;
static long swapoff_at_us, swapoff_deadline_ms, settle_ms, min_swapped_permille;

/* From when both swapoff and the last exit are over, until zram's pool is as small as before. */
static void time_pool(long before_bytes)
{
	int64_t start = now_ns(), asked = start;
	long bytes = read_usage().zram_memory_bytes;

	meta("late_pool_bytes", "%ld", bytes > before_bytes ? bytes - before_bytes : 0);
	while (bytes > before_bytes) {
		if (asked - start > settle_ms * MS) {
			sample_never("pool_back_ns", NULL);
			return;
		}
		sleep_ns(MS);
		asked = now_ns();
		bytes = read_usage().zram_memory_bytes;
	}
	sample("pool_back_ns", asked - start, NULL);
}

static void race(void)
{
	struct recipe recipe = { .bytes = mib << 20, .extent_pages = extent_pages };
	struct layout layout = { 0 };
	struct swapoff attempt;
	long pool_before_bytes;
	int64_t last_reap;

	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	remember_idle();
	pool_before_bytes = read_usage().zram_memory_bytes;
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);

	attempt = start_swapoff(swapoff_at_us > 0 ? swapoff_at_us * 1000 : 0);
	if (swapoff_at_us < 0)
		sleep_ns(-swapoff_at_us * 1000);
	last_reap = kill_victims(victims, NULL);
	sample("makespan_ns", last_reap - crowd[0].killed_at, NULL);
	if (finish_swapoff(&attempt, swapoff_deadline_ms))
		time_pool(pool_before_bytes);
	else	/* what slots hold stays there, however long one waits */
		sample_never("pool_back_ns", NULL);
	meta("swapoff_before_last_exit", attempt.result->end && attempt.result->end < last_reap ?
	     "yes" : "no");
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	tell_left();
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "makespan_ns", "ns", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ "pool_back_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "victims", 10, &victims, 1, MAX_VICTIMS, "processes to kill" },
		{ "mib", 32, &mib, 1, 4096, "memory of each victim, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 0, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "swapoff_at_us", 20000, &swapoff_at_us, -10000000, 10000000,
		  "when swapoff starts, from the first kill" },
		{ "swapoff_deadline_ms", 10000, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take after the last exit" },
		{ "settle_ms", 10000, &settle_ms, 0, 600000,
		  "how long the pool of zram may take after swapoff and the last exit" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = race,
};
