// SPDX-License-Identifier: GPL-2.0-only
/*
 * zram_full - kill victims while swap is nearly full, and need their swap at once.
 *
 * Newcomers as large as the victims are paged out right after the last exit, as
 * when one app makes room for another. Swap that an exit has not yet given back
 * is swap that they cannot have.
 */
#define _GNU_SOURCE
#include <sys/sysinfo.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

static long victims, mib, fillers, filler_mib, seed, random_bytes, extent_pages;
static long settle_ms, swapoff_deadline_ms, min_swapped_permille;

static long free_swap_pages(void)
{
	struct sysinfo system;

	if (sysinfo(&system))
		die("sysinfo");
	return system.freeswap * system.mem_unit / page_size;
}

/* Return how many pages of newcomers found no place in swap. */
static long refused_pages(long first, size_t bytes)
{
	struct layout layout = { 0 };

	for (long i = first; i < first + victims; i++) {
		int pagemap = open_pagemap(crowd[i].pid);

		add_layout(&layout, pagemap, crowd[i].arena, bytes);
		close(pagemap);
	}
	return victims * (long)(bytes / page_size) - layout.swapped_pages;
}

static void refill(void)
{
	struct recipe victim = { .bytes = mib << 20, .extent_pages = extent_pages };
	struct recipe filler = { .bytes = filler_mib << 20 };
	struct recipe newcomer = { .bytes = mib << 20 };
	long first = victims + fillers;
	struct layout layout = { 0 };
	int64_t last_reap;

	if (first + victims > MAX_VICTIMS)
		give_up("%ld processes are more than %d", first + victims, MAX_VICTIMS);
	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	remember_idle();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &victim);
	for (long i = victims; i < first; i++)
		start_victim(&crowd[i], i, &filler);
	check_victims(victims, &victim, min_swapped_permille, &layout);
	meta("free_pages_before", "%ld", free_swap_pages());

	last_reap = kill_victims(victims, NULL);
	meta("free_pages_after", "%ld", free_swap_pages());
	for (long i = first; i < first + victims; i++)
		start_victim(&crowd[i], i, &newcomer);
	sample("refill_ns", now_ns() - last_reap, NULL);
	sample("refused_pages", refused_pages(first, newcomer.bytes), NULL);
	meta("free_pages_refilled", "%ld", free_swap_pages());

	/* everybody else dies too, and then all must be free */
	for (long i = 0; i < fillers + victims; i++)
		crowd[i] = crowd[victims + i];
	kill_victims(fillers + victims, NULL);
	sleep_ns(settle_ms * MS);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "refill_ns", "ns", "lower" },
		{ "refused_pages", "pages", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "victims", 3, &victims, 1, MAX_VICTIMS, "processes to kill" },
		{ "mib", 32, &mib, 1, 4096, "memory of each victim and newcomer, MiB" },
		{ "fillers", 2, &fillers, 1, MAX_VICTIMS, "processes that keep swap nearly full" },
		{ "filler_mib", 41, &filler_mib, 1, 4096, "memory of each of them, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 0, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "settle_ms", 10000, &settle_ms, 0, 600000, "from the last exit to the look" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = refill,
};
