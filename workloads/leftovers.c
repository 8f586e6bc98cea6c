// SPDX-License-Identifier: GPL-2.0-only
/*
 * leftovers - kill swapped-out processes, wait, and look at what they left.
 *
 * What the victims are made of and how they die is chosen by parameters, so that
 * every kind of swap entry and every way out meets the same question: is all of
 * it free afterwards?
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "folios.h"
#include "harness.h"
#include "left.h"
#include "reapers.h"
#include "victims.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"

static long victims, mib, seed, random_bytes, extent_pages, large_folios, sharers;
static long touched_permille, reapers, failing_percent;
static long idle_ms, swapoff_deadline_ms, min_swapped_permille;

/* ---- what is special about the victims ------------------------------------ */

/* Entries that several page tables hold, and some that are in the swap cache as well. */
static void share(unsigned char *arena, size_t bytes)
{
	long pages = bytes / page_size;

	for (long i = 0; i < sharers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid)
			continue;
		if (prctl(PR_SET_PDEATHSIG, SIGKILL))
			die("prctl");
		for (long page = 0; page < pages * touched_permille / 1000; page++)
			*(volatile unsigned char *)(arena + page * page_size);
		for (;;)
			pause();
	}
	/* the victim goes on when its sharers have read what they were to read */
	sleep_ns(touched_permille ? 500 * MS : 50 * MS);
}

static void let_me_fail(long number)
{
	(void)number;
	write_text("/proc/self/make-it-fail", "1");
}

static void prepare_failures(void)
{
	char percent[24];

	if (!mount_debugfs() || !can_write_text(FAILSLAB "task-filter", "Y"))
		cannot_test("the kernel has no failslab");
	snprintf(percent, sizeof(percent), "%ld", failing_percent);
	write_text(FAILSLAB "verbose", "0");
	write_text(FAILSLAB "times", "-1");
	/* only those that may not wait: Y is the standard, said for the reader */
	write_text(FAILSLAB "ignore-gfp-wait", "Y");
	write_text(FAILSLAB "probability", percent);
}

/* ---- the whole -------------------------------------------------------------- */

static void kill_and_look(void)
{
	struct recipe recipe = {
		.bytes = mib << 20,
		.extent_pages = extent_pages,
		.large_folios = large_folios,
		.at_first = failing_percent ? let_me_fail : NULL,
		.when_out = sharers ? share : NULL,
	};
	struct layout layout = { 0 };

	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	if (failing_percent)
		prepare_failures();
	if (large_folios)
		prepare_large_folios();
	remember_idle();

	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	if (large_folios)
		meta("large_folios", "%ld", large_folios_swapped());
	if (reapers)
		start_reapers(reapers);

	kill_victims(victims, reapers ? order_reaping : NULL);
	for (long i = 0; i < victims; i++)
		sample("exit_ns", crowd[i].exited_at - crowd[i].killed_at, crowd[i].label);
	sleep_ns(idle_ms * MS);

	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	if (reapers)
		finish_reaping(NULL);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_ns", "ns", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
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
		{ "large_folios", 0, &large_folios, 0, 1, "1: folios of 64 KiB" },
		{ "sharers", 0, &sharers, 0, 8, "children of each victim that share its entries" },
		{ "touched_permille", 0, &touched_permille, 0, 1000,
		  "share of the pages that a sharer reads back" },
		{ "reapers", 0, &reapers, 0, 8, "threads that call process_mrelease" },
		{ "failing_percent", 0, &failing_percent, 0, 100,
		  "slab allocations of victims, of those that may not wait, that fail" },
		{ "idle_ms", 10000, &idle_ms, 0, 600000, "from the last exit to the look" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = kill_and_look,
};
