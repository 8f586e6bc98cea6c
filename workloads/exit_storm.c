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
 * what was put back, whatever swap and zram say of themselves. cpu_peak_permille
 * is of the same looks.
 *
 * The victims use base pages: whether a huge page can be had is luck that
 * differs from boot to boot, and it decides how swap slots lie together.
 * They are filled and paged out one after the other for the same reason.
 *
 * With frame_us somebody looks at a screen meanwhile: a task of ordinary priority, but for
 * its nice value, draws a frame every frame_us. Its own CPU time is taken out of cpu_ns.
 *
 * The parent is the observer. It is locked in memory and runs as SCHED_FIFO,
 * so that it sees an exit when it happens even if every CPU is busy exiting.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "books.h"
#include "cpu.h"
#include "curve.h"
#include "folios.h"
#include "foreground.h"
#include "harness.h"
#include "kill.h"
#include "pressure.h"
#include "swap.h"
#include "victims.h"

#define SETTLE_NS	(200 * MS)
#define SWITCH_NS	(5 * MS)	/* long enough for others to run and be charged */

static long victims, mib, seed, random_bytes, extent_pages;
static long swapped_pct, content, interleave, large_folios, late_ms;
static long drain_deadline_ms, swapoff_deadline_ms, min_swapped_permille;
static long frame_us, frame_cpu_us;
static struct ways ways;

static bool is_less(const struct usage *usage, const struct usage *before)
{
	return usage->swap_pages < before->swap_pages ||
	       usage->zram_compr_bytes < before->zram_compr_bytes ||
	       usage->zram_memory_bytes < before->zram_memory_bytes;
}

struct drain {
	bool complete;
	int64_t at;
	struct books books;	/* at the end, or just after the last progress */
	long polls;
	struct usage usage;
};

/*
 * Watch until all that the victims held is free again. The first look comes
 * right after the last reap, so a kernel that frees while it exits is not
 * charged for waiting; then one look every millisecond, later every ten.
 * A look takes the CPU from others, so it is short: while swap is in use, zram is not
 * asked, and the books are read when there was progress and is no more.
 */
static struct drain watch_drain(const struct usage *limit, int64_t start)
{
	struct drain drain = {
		.usage = { LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX },
	};
	bool progress = true, last;

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
			sleep_until(drain.at + SWITCH_NS);
			drain.books = read_books();
			return drain;
		}
		last = drain.at - start >= drain_deadline_ms * MS;
		if (progress ? last : progressed)
			drain.books = read_books();
		if (last)
			return drain;
		sleep_until(now_ns() + (drain.at - start < 1000 * MS ? MS : 10 * MS));
	}
}

static void check_parameters(void)
{
	check_ways(&ways);
	if (large_folios && interleave)
		give_up("large_folios=1 and interleave=1 exclude each other: turns are of one page");
}

/* Start the victims and have them paged out; return where their pages are. */
static struct layout start_victims(void)
{
	long pages = (mib << 20) / page_size;
	struct recipe recipe = {
		.bytes = pages * page_size,
		.present_bytes = pages * (100 - swapped_pct) / 100 * page_size,
		.content = content,
		.extent_pages = extent_pages,
		.in_turns = interleave,
		.large_folios = large_folios,
	};
	struct layout layout = { 0 };

	prepare_ways(&ways, victims, &recipe);
	if (large_folios)
		prepare_large_folios();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	if (interleave)
		page_out_crowd(victims, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	if (large_folios)
		meta("large_folios", "%ld", large_folios_swapped());
	return layout;
}

/* As long as free_kib is looked at where all are killed at once. */
static void start_frames(void)
{
	const struct scene scene = {
		.watch_ns = CURVE_POINTS * CURVE_INTERVAL_NS,
		.frame_ns = frame_us * US,
		.frame_cpu_ns = frame_cpu_us * US,
	};

	start_foreground(&scene);
}

static void tell_exits(long swapped_pages, int64_t last_reap)
{
	int64_t sum_ns = 0, longest_ns = 0;
	long late = 0;

	for (long i = 0; i < victims; i++) {
		int64_t exit_ns = crowd[i].exited_at - crowd[i].killed_at;

		sample("exit_ns", exit_ns, crowd[i].label);
		sum_ns += exit_ns;
		late += exit_ns > late_ms * MS;
		longest_ns = exit_ns > longest_ns ? exit_ns : longest_ns;
	}
	sample("makespan_ns", last_reap - crowd[0].killed_at, NULL);
	sample("exit_max_ns", longest_ns, NULL);
	sample("late_exits", late, NULL);
	if (swapped_pct)
		sample("swapped_page_ns", sum_ns / swapped_pages, NULL);
	tell_ways(&ways, victims, NULL);
}

static void tell_drain(const struct drain *drain, const struct usage *limit)
{
	if (drain->complete)
		sample("drain_ns", drain->at - crowd[0].killed_at, NULL);
	else
		sample_never("drain_ns", NULL);
	sample("residue_pages", drain->usage.swap_pages > limit->swap_pages ?
	       drain->usage.swap_pages - limit->swap_pages : 0, NULL);
	meta("drained", drain->complete ? "yes" : "no");
	meta("drain_polls", "%ld", drain->polls);
}

static void tell_set_up(const struct layout *layout, const struct usage *idle,
			const struct usage *full)
{
	long orig_bytes = full->zram_orig_bytes - idle->zram_orig_bytes;
	long compr_bytes = full->zram_compr_bytes - idle->zram_compr_bytes;

	meta("swapped_pages", "%ld", layout->swapped_pages);
	meta("extents", "%ld", layout->extents);
	meta("pages_per_extent", "%.2f",
	     layout->extents ? (double)layout->swapped_pages / layout->extents : 0.0);
	meta("zram_orig_bytes", "%ld", orig_bytes);
	meta("zram_compr_bytes", "%ld", compr_bytes);
	meta("zram_ratio", "%.3f", compr_bytes ? (double)orig_bytes / compr_bytes : 0.0);
}

static void storm(void)
{
	struct usage idle, full, limit;
	struct layout layout;
	struct swapoff attempt;
	struct drain drain;
	struct books before;
	int64_t last_reap;

	check_parameters();
	open_swap();
	open_cpus();
	prepare_content(seed, random_bytes);
	become_observer();

	idle = read_usage();
	layout = start_victims();
	prepare_curve(CURVE_POINTS + (victims - 1) * ways.stagger_ms * MS / CURVE_INTERVAL_NS);
	if (frame_us)
		start_frames();
	sleep_ns(SETTLE_NS);
	full = read_usage();
	/* not idle's: what kernels before 6.15 keep in their slot caches is no victim's */
	limit = idle;
	limit.swap_pages = full.swap_pages - layout.swapped_pages;

	remember_pressure();
	sleep_ns(SWITCH_NS);
	before = read_books();
	start_curve(frame_us ? open_scene() : now_ns());
	profile_begin();
	last_reap = kill_in_ways(&ways, victims, NULL);
	drain = watch_drain(&limit, last_reap);
	profile_end();
	tell_pressure();

	tell_exits(layout.swapped_pages, last_reap);
	tell_drain(&drain, &limit);
	tell_cpu(&before, &drain.books, frame_us);
	tell_curve();
	if (frame_us)
		tell_foreground();
	tell_set_up(&layout, &idle, &full);

	attempt = start_swapoff(0);
	finish_swapoff(&attempt, swapoff_deadline_ms);
}

static bool measures(const char *metric)
{
	if (!strcmp(metric, "mrelease_ns"))
		return ways.reapers;
	if (!strcmp(metric, "swapped_page_ns"))
		return swapped_pct;
	return frame_us || !is_of_foreground(metric);
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
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ "frame_max_ns", "ns", "lower" },
		{ "frame_wait_max_ns", "ns", "lower" },
		{ "frame_ns", "ns", "lower" },
		{ "late_frames", "frames", "lower" },
		{ "wakeup_ns", "ns", "lower" },
		{ "wakeup_p99_ns", "ns", "lower" },
		{ "exit_max_ns", "ns", "lower" },
		{ "late_exits", "exits", "lower" },
		{ "swapped_page_ns", "ns", "lower" },
		{ "cpu_peak_permille", "permille", "lower" },
		{ "kill_ns", "ns", "lower" },
		{ "mrelease_ns", "ns", "lower" },
		{ "alloc_stalls", "stalls", "lower" },
		{ "pages_scanned", "pages", "lower" },
		{ "psi_some_us", "us", "lower" },
		{ "psi_full_us", "us", "lower" },
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
		{ "swapped_pct", 100, &swapped_pct, 0, 100,
		  "share of each victim's pages in swap; the others stay present" },
		{ "content", MIXED, &content, MIXED, SAME,
		  "0 as random_bytes says, 1 zero pages, 2 the same word all over" },
		{ "interleave", 0, &interleave, 0, 1,
		  "1: neighbouring swap slots belong to different victims" },
		{ "large_folios", 0, &large_folios, 0, 1, "1: folios of 64 KiB" },
		KILL_PARAMETERS(ways),
		{ "frame_us", 0, &frame_us, 0, 100000,
		  "a frame is drawn so often, 0: nobody draws" },
		{ "frame_cpu_us", 1000, &frame_cpu_us, 1, 100000, "of CPU time to draw one" },
		{ "late_ms", 500, &late_ms, 0, 600000, "an exit that takes longer is a late one" },
		{ "drain_deadline_ms", 3000, &drain_deadline_ms, 0, 600000,
		  "how long after the last reap swap may take to drain" },
		{ "swapoff_deadline_ms", 1000, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
	.measures = measures,
};
