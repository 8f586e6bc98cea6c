// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit_storm - kill many swapped-out processes at once.
 *
 * Three clocks, because a patch may move work rather than remove it:
 * exit_ns and makespan_ns stop when the victims are gone, drain_ns when the
 * swap and the compressed memory they held are free again, and cpu_ns adds up
 * what all tasks together spent until then, whoever did the work.
 *
 * free_kib is the free memory over CURVE_POINTS looks, from the first kill on:
 * what was put back, whatever swap and zram say of themselves.
 *
 * The victims use base pages: whether a huge page can be had is luck that
 * differs from boot to boot, and it decides how swap slots lie together.
 * They are filled and paged out one after the other for the same reason.
 *
 * The parent is the observer. It is locked in memory and runs as SCHED_FIFO,
 * so that it sees an exit when it happens even if every CPU is busy exiting.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "curve.h"
#include "harness.h"
#include "swap.h"
#include "victims.h"

#define SETTLE_NS	(200 * MS)
#define SWITCH_NS	(5 * MS)	/* long enough for others to run and be charged */

static long victims, mib, seed, random_bytes, extent_pages;
static long drain_deadline_ms, swapoff_deadline_ms, min_swapped_permille;
static int schedstat_fd;

static bool is_less(const struct usage *usage, const struct usage *before)
{
	return usage->swap_pages < before->swap_pages ||
	       usage->zram_compr_bytes < before->zram_compr_bytes ||
	       usage->zram_memory_bytes < before->zram_memory_bytes;
}

/*
 * Time that any task but idle was on a CPU, all CPUs together, with the
 * interrupts that hit it there. A task is charged when it leaves its CPU, so
 * sleep for SWITCH_NS before asking.
 */
static int64_t read_cpu_ns(void)
{
	static char text[32 * 1024];
	int64_t sum = 0;
	int cpus = 0;

	read_text(schedstat_fd, text, sizeof(text), "/proc/schedstat");
	for (char *row = text; row; row = strchr(row, '\n')) {
		long long cpu_ns;

		row += *row == '\n';
		if (sscanf(row, "cpu%*u %*u %*u %*u %*u %*u %*u %lld", &cpu_ns) == 1) {
			sum += cpu_ns;
			cpus++;
		}
	}
	if (!cpus)
		give_up("/proc/schedstat names no CPU");
	return sum;
}

static int64_t own_cpu_ns(void)
{
	struct timespec spent;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent))
		die("clock_gettime");
	return spent.tv_sec * 1000000000LL + spent.tv_nsec;
}

struct drain {
	bool complete;
	int64_t at;
	int64_t cpu_ns;		/* counter at the end, or just after the last progress */
	long polls;
	struct usage usage;
};

/*
 * Watch until all that the victims held is free again. The first look comes
 * right after the last reap, so a kernel that frees while it exits is not
 * charged for waiting; then one look every millisecond, later every ten.
 * A look costs some microseconds and is part of cpu_ns, so it is short: while
 * swap is in use, zram is not asked. The counter is read once more after the
 * last progress: whoever made it may not have left its CPU at the first reading.
 */
static struct drain watch_drain(const struct usage *limit, int64_t start)
{
	struct drain drain = {
		.usage = { LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX },
	};
	bool progress = true;

	for (;;) {
		struct usage usage = drain.usage;
		bool progressed = progress;

		usage.swap_pages = read_swap_pages();
		if (usage.swap_pages <= limit->swap_pages)
			read_zram(&usage);
		drain.at = now_ns();
		drain.polls++;
		progress = is_less(&usage, &drain.usage);
		drain.usage = usage;
		if (is_within(&usage, limit)) {
			drain.complete = true;
			sleep_ns(SWITCH_NS);
			drain.cpu_ns = read_cpu_ns();
			return drain;
		}
		if (progress || progressed)
			drain.cpu_ns = read_cpu_ns();
		if (drain.at - start >= drain_deadline_ms * MS)
			return drain;
		sleep_ns(drain.at - start < 1000 * MS ? MS : 10 * MS);
	}
}

static void storm(void)
{
	static struct vmstat vmstat_before, vmstat_after;
	struct recipe recipe = { .bytes = mib << 20, .extent_pages = extent_pages };
	struct layout layout = { 0 };
	struct usage idle, full, limit;
	struct swapoff attempt;
	struct drain drain;
	int64_t first_kill, last_reap, cpu_before, own_before, own_after;

	open_swap();
	schedstat_fd = open("/proc/schedstat", O_RDONLY | O_CLOEXEC);
	if (schedstat_fd < 0)
		die("/proc/schedstat");
	prepare_content(seed, random_bytes);
	become_observer();

	idle = read_usage();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, recipe.bytes, min_swapped_permille, &layout);
	prepare_curve();
	sleep_ns(SETTLE_NS);
	full = read_usage();
	/* not idle's: what kernels before 6.15 keep in their slot caches is no victim's */
	limit = idle;
	limit.swap_pages = full.swap_pages - layout.swapped_pages;

	read_vmstat(&vmstat_before);
	sleep_ns(SWITCH_NS);
	cpu_before = read_cpu_ns();
	own_before = own_cpu_ns();
	start_curve(now_ns());
	profile_begin();
	last_reap = kill_victims(victims, NULL);
	drain = watch_drain(&limit, last_reap);
	profile_end();
	own_after = own_cpu_ns();
	read_vmstat(&vmstat_after);

	first_kill = crowd[0].killed_at;
	for (long i = 0; i < victims; i++)
		sample("exit_ns", crowd[i].exited_at - crowd[i].killed_at, crowd[i].label);
	sample("makespan_ns", last_reap - first_kill, NULL);
	if (drain.complete)
		sample("drain_ns", drain.at - first_kill, NULL);
	else
		sample_never("drain_ns", NULL);
	sample("cpu_ns", drain.cpu_ns - cpu_before, NULL);
	sample("residue_pages", drain.usage.swap_pages > limit.swap_pages ?
	       drain.usage.swap_pages - limit.swap_pages : 0, NULL);
	tell_curve("free_kib");
	meta("drained", drain.complete ? "yes" : "no");
	meta("drain_polls", "%ld", drain.polls);
	meta("observer_cpu_ns", "%lld", (long long)(own_after - own_before));

	full.zram_orig_bytes -= idle.zram_orig_bytes;
	full.zram_compr_bytes -= idle.zram_compr_bytes;
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	meta("pages_per_extent", "%.2f",
	     layout.extents ? (double)layout.swapped_pages / layout.extents : 0.0);
	meta("zram_orig_bytes", "%ld", full.zram_orig_bytes);
	meta("zram_compr_bytes", "%ld", full.zram_compr_bytes);
	meta("zram_ratio", "%.3f", full.zram_compr_bytes ?
	     (double)full.zram_orig_bytes / full.zram_compr_bytes : 0.0);
	tell_vmstat(&vmstat_before, &vmstat_after);

	attempt = start_swapoff(0);
	finish_swapoff(&attempt, swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_ns", "ns", "lower" },
		{ "makespan_ns", "ns", "lower" },
		{ "drain_ns", "ns", "lower" },
		{ "cpu_ns", "ns", "lower" },
		{ "residue_pages", "pages", "lower" },
		{ "free_kib", "kib", "higher" },
		{ "swapoff_ns", "ns", "lower" },
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
		{ "drain_deadline_ms", 3000, &drain_deadline_ms, 0, 600000,
		  "how long after the last reap swap may take to drain" },
		{ "swapoff_deadline_ms", 1000, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
