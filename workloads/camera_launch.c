// SPDX-License-Identifier: GPL-2.0-only
/*
 * camera_launch - start a camera on a phone whose memory is full of apps.
 *
 * Apps lie in swap, each in a memory control group of its own; what memory is left
 * is nearly all in use; others keep the CPUs busy. Then the camera starts: the
 * low-memory killer kills apps in the order of their oom_score_adj, highest first,
 * while the foreground draws frames and allocates the preview's buffers. It kills at
 * once, or with psi_ms when others wait for memory.
 *
 * Each app has paged itself out, in the order of its pages; or with reclaimed_pct reclaim
 * has, which takes a few pages of one app and a few of the next.
 *
 * All sizes are a phone's, divided by `divisor`. The foreground is watched for watch_ms
 * from the start of the camera on, all else from the first kill on, and what is not back
 * by then never came. cpu_ns is of that time, the load's part included; drain_ns ends when nothing is charged to the groups of the
 * dead any more, and memcg_lag_ns is that time since the last exit.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "books.h"
#include "cgroup.h"
#include "cpu.h"
#include "curve.h"
#include "foreground.h"
#include "harness.h"
#include "kill.h"
#include "phone.h"
#include "pressure.h"
#include "reapers.h"
#include "swap.h"
#include "victims.h"

#define SETTLE_NS	(200 * MS)
#define LOAD_OFF_PERMILLE	100	/* measured from wanted, to be as asked */
#define LOAD_LOOKS	10

static long apps, app_mib, divisor, kills, load_pct, preview_mib, preview_at_ms, free_mib;
static long frame_ms, frame_cpu_ms, watch_ms, seed, random_bytes, min_swapped_permille;
static long reclaimed_pct, psi_ms;
static struct ways ways;
static long order[MAX_VICTIMS];

static size_t scaled_bytes(long mib)
{
	return (size_t)(mib << 20) / divisor / page_size * page_size;
}

static bool all_is_back(void)
{
	for (long i = 0; i < kills; i++)
		if (read_cgroup(order[i], "memory.swap.current", NULL))
			return false;
	return true;
}

/* Return when nothing was charged to the dead any more; 0 if that was not to be seen. */
static int64_t watch_charges(int64_t start)
{
	int64_t now;

	do {
		if (all_is_back())
			return now_ns();
		now = now_ns();
		sleep_until(now + (now - start < 500 * MS ? MS : 10 * MS));
	} while (now - start < watch_ms * MS);
	return 0;
}

/* Return what share of the CPUs is in use. */
static long look_at_load(void)
{
	int64_t cpu_ns = -read_cpu_ns(), start = now_ns();

	sleep_ns(SETTLE_NS);
	cpu_ns += read_cpu_ns();
	return cpu_ns * 1000 / ((now_ns() - start) * sysconf(_SC_NPROCESSORS_ONLN));
}

/*
 * Return that share once it is as asked, and do not go on before. Where vCPUs are
 * threads of a host that has something else to do for a moment, it needs a second look.
 */
static long await_load(void)
{
	long permille = 0;

	for (int i = 0; i < LOAD_LOOKS; i++) {
		permille = look_at_load();
		if (labs(permille - load_pct * 10) <= LOAD_OFF_PERMILLE)
			return permille;
	}
	give_up("the load is %ld permille of the CPUs, and %ld are wanted", permille,
		load_pct * 10);
}

static void tell_kills(int64_t last_reap, int64_t back_at)
{
	int64_t first_kill = crowd[order[0]].killed_at;

	for (long i = 0; i < kills; i++) {
		const struct victim *app = &crowd[order[i]];

		sample("exit_ns", app->exited_at - app->killed_at, app->label);
	}
	sample("makespan_ns", last_reap - first_kill, NULL);
	if (back_at) {
		sample("drain_ns", back_at - first_kill, NULL);
		sample("memcg_lag_ns", back_at - last_reap, NULL);
	} else {
		sample_never("drain_ns", NULL);
		sample_never("memcg_lag_ns", NULL);
	}
	tell_ways(&ways, kills, order);
}

/* Return where the apps' pages are once they are where they should be. */
static struct layout put_in_swap(void)
{
	long pages = scaled_bytes(app_mib) / page_size;
	struct recipe app = { .bytes = pages * page_size };
	struct layout layout = { 0 };

	if (reclaimed_pct)
		app.present_bytes = app.bytes;
	start_apps(apps, &app, &ways);
	if (reclaimed_pct) {
		press_out(apps * pages * reclaimed_pct / 100);
		app.present_bytes = pages * (100 - reclaimed_pct) / 100 * page_size;
	}
	check_victims(apps, &app, min_swapped_permille, &layout);
	return layout;
}

static void prepare_phone(void)
{
	struct layout layout;

	check_ways(&ways);
	if (kills > apps)
		give_up("kills=%ld of apps=%ld", kills, apps);
	open_swap();
	open_cpus();
	prepare_content(seed, random_bytes);
	become_observer();
	layout = put_in_swap();
	order_by_adj(order, apps);
	fill_memory(scaled_bytes(free_mib));
	meta("scale_divisor", "%ld", divisor);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	meta("start_free_kib", "%zu", free_memory() / 1024);
}

static void launch(void)
{
	struct scene scene = {
		.watch_ns = watch_ms * MS,
		.frame_ns = frame_ms * MS,
		.frame_cpu_ns = frame_cpu_ms * MS,
		.preview_at_ns = preview_at_ms * MS,
		.load_pct = load_pct,
	};
	struct books before, after;
	int64_t start, first_kill, last_reap, back_at;

	prepare_phone();
	prepare_curve(watch_ms * MS / CURVE_INTERVAL_NS);
	sleep_ns(SETTLE_NS);
	scene.preview_bytes = scaled_bytes(preview_mib);
	start_foreground(&scene);
	if (ways.reapers)
		start_reapers(ways.reapers);
	meta("load_permille", "%ld", await_load());

	if (psi_ms)
		open_pressure_trigger(psi_ms * MS);
	remember_pressure();
	before = read_books();
	start = first_kill = open_scene();
	if (psi_ms) {
		first_kill = await_pressure(start + scene.watch_ns);
		meta("pressure_ns", "%lld", (long long)(first_kill - start));
		before = read_books();
	}
	start_curve(first_kill);
	profile_begin();
	last_reap = kill_in_ways(&ways, kills, order);
	back_at = watch_charges(first_kill);
	profile_end();
	sleep_until(start + scene.watch_ns);
	after = read_books();
	tell_pressure();

	tell_kills(last_reap, back_at);
	tell_cpu(&before, &after, false);
	tell_foreground();
	tell_curve();
}

static bool measures(const char *metric)
{
	return strcmp(metric, "mrelease_ns") || ways.reapers;
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_ns", "ns", "lower" },
		{ "makespan_ns", "ns", "lower" },
		{ "drain_ns", "ns", "lower" },
		{ "memcg_lag_ns", "ns", "lower" },
		{ "cpu_ns", "ns", "lower" },
		{ "preview_free_kib", "kib", "higher" },
		{ "preview_ns", "ns", "lower" },
		{ "frame_ns", "ns", "lower" },
		{ "frame_max_ns", "ns", "lower" },
		{ "frame_wait_max_ns", "ns", "lower" },
		{ "late_frames", "frames", "lower" },
		{ "wakeup_ns", "ns", "lower" },
		{ "wakeup_p99_ns", "ns", "lower" },
		{ "free_kib", "kib", "higher" },
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
		{ "apps", 20, &apps, 1, MAX_VICTIMS, "in swap, each in a group of its own" },
		{ "app_mib", 350, &app_mib, 1, 4096, "memory of each on a phone, MiB" },
		{ "divisor", 16, &divisor, 1, 1024, "every size is the phone's divided by it" },
		{ "kills", 12, &kills, 1, MAX_VICTIMS, "apps killed when the camera starts" },
		{ "load_pct", 60, &load_pct, 0, 90, "of the CPUs' time that others use" },
		{ "preview_mib", 1280, &preview_mib, 1, 65536, "the preview's buffers on a phone" },
		{ "preview_at_ms", 100, &preview_at_ms, 0, 1000, "from the start of the camera to it" },
		{ "free_mib", 768, &free_mib, 1, 65536, "free on a phone before it starts" },
		{ "frame_ms", 33, &frame_ms, 1, 1000, "a frame that takes longer is late" },
		{ "frame_cpu_ms", 12, &frame_cpu_ms, 1, 1000, "of CPU time to draw one" },
		{ "watch_ms", 2000, &watch_ms, 500, 4000,
		  "from the first kill to the last look, and how long frames are drawn" },
		{ "reclaimed_pct", 0, &reclaimed_pct, 0, 95,
		  "of the apps' memory that reclaim puts in swap; 0: they do, all of it" },
		{ "psi_ms", 0, &psi_ms, 0, 500,
		  "of waiting for memory until the killer acts, 0: at once" },
		KILL_PARAMETERS(ways),
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = launch,
	.measures = measures,
};
