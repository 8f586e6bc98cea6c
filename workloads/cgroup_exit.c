// SPDX-License-Identifier: GPL-2.0-only
/*
 * cgroup_exit - kill victims that have a memory control group each, as apps have,
 * and remove the groups.
 *
 * A group that is removed stays as long as anything is charged to it. Swap that
 * is freed late keeps its dead group.
 */
#include <stdio.h>

#include "cgroup.h"
#include "harness.h"
#include "left.h"
#include "victims.h"

static long victims, mib, seed, random_bytes, extent_pages, cgroup_kill;
static long uncharge_deadline_ms, swapoff_deadline_ms, min_swapped_permille;

static void kill_the_rest(long number)
{
	/* the first kill is the observer's: from there on the groups do it */
	for (long i = 1; cgroup_kill && !number && i < victims; i++)
		write_cgroup(i, "cgroup.kill", "1");
}

static long charged_pages(void)
{
	long bytes = 0;

	for (long i = 0; i < victims; i++)
		bytes += read_cgroup(i, "memory.swap.current", NULL);
	return bytes / page_size;
}

static long dying_groups(void)
{
	return read_cgroup(-1, "cgroup.stat", "nr_dying_descendants");
}

/* Sample the time from `start` until nothing is left of what `left` counts. */
static void time_until_none(const char *metric, long (*left)(void), int64_t start)
{
	while (left()) {
		int64_t waited = now_ns() - start;

		if (waited > uncharge_deadline_ms * MS) {
			sample_never(metric, NULL);
			return;
		}
		sleep_ns(waited < 200 * MS ? MS : 100 * MS);
	}
	sample(metric, now_ns() - start, NULL);
}

static void storm(void)
{
	struct recipe recipe = {
		.bytes = mib << 20, .extent_pages = extent_pages, .at_first = join_cgroup,
	};
	struct layout layout = { 0 };
	int64_t removed_at;

	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	mount_cgroups();
	remember_idle();
	for (long i = 0; i < victims; i++) {
		make_cgroup(i);
		start_victim(&crowd[i], i, &recipe);
	}
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("charged_pages", "%ld", charged_pages());

	kill_victims(victims, kill_the_rest);
	for (long i = 0; i < victims; i++)
		sample("exit_ns", crowd[i].exited_at - crowd[0].killed_at, crowd[i].label);
	time_until_none("uncharge_ns", charged_pages, crowd[0].killed_at);
	meta("charged_pages_left", "%ld", charged_pages());

	for (long i = 0; i < victims; i++)
		while (!remove_cgroup(i))
			sleep_ns(MS);
	removed_at = now_ns();
	time_until_none("dying_ns", dying_groups, removed_at);
	sample("dying_groups", dying_groups(), NULL);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_ns", "ns", "lower" },
		{ "uncharge_ns", "ns", "lower" },
		{ "dying_ns", "ns", "lower" },
		{ "dying_groups", "groups", "lower" },
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
		{ "cgroup_kill", 0, &cgroup_kill, 0, 1, "1: kill by cgroup.kill, all but the first" },
		{ "uncharge_deadline_ms", 10000, &uncharge_deadline_ms, 0, 600000,
		  "how long charges, and removed groups, may stay" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
