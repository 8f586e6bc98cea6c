// SPDX-License-Identifier: GPL-2.0-only
/*
 * deferral - what it costs to have dying tasks' swap entries freed by others.
 *
 * The exits' own CPU time says whether handing an entry over is cheaper than
 * freeing it. With trace=1 the kernel's trace points tell of each work item when
 * it was queued, for how long it ran and how many records it freed; that takes
 * time, so the two are not asked of one boot.
 *
 * The names of the work queue and of its function are those of series v0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

#define TRACING		"/sys/kernel/tracing/"
#define QUEUED		"workqueue/workqueue_queue_work"
#define STARTED		"workqueue/workqueue_execute_start"
#define ENDED		"workqueue/workqueue_execute_end"
#define FREED		"kmem/kmem_cache_free"
#define MAX_WORKERS	64

static long victims, mib, seed, random_bytes, extent_pages, trace;
static long settle_ms, swapoff_deadline_ms, min_swapped_permille;

/* ---- work items ------------------------------------------------------------- */

struct worker {
	long pid, records;
	double began_s;
};

static struct worker workers[MAX_WORKERS];
static long queued, executed, empty, longest_records;
static double longest_s;

static bool can_watch(const char *event, const char *filter)
{
	char path[128];

	snprintf(path, sizeof(path), TRACING "events/%s/filter", event);
	if (!can_write_text(path, filter))
		return false;
	snprintf(path, sizeof(path), TRACING "events/%s/enable", event);
	write_text(path, "1");
	return true;
}

/* Without the series there is no such function, and nothing to watch. */
static void watch_works(void)
{
	if (mount("tracefs", TRACING, "tracefs", 0, NULL) && errno != EBUSY)
		cannot_test("the kernel has no trace points");
	/* a function that every kernel has: is a filter of this kind understood? */
	if (!can_write_text(TRACING "events/" STARTED "/filter",
			    "function.function == vmstat_update"))
		cannot_test("the kernel cannot filter its trace points by function");
	write_text(TRACING "buffer_size_kb", "16384");
	if (can_watch(STARTED, "function.function == async_swap_free_workfn") &&
	    (!can_watch(ENDED, "function.function == async_swap_free_workfn") ||
	     !can_watch(FREED, "call_site.function == async_swap_free_workfn") ||
	     !can_watch(QUEUED, "workqueue == \"async_swap_free\"")))
		give_up("the kernel traces only some of what its workers do");
}

static struct worker *find_worker(long pid)
{
	for (long i = 0; i < MAX_WORKERS; i++)
		if (!workers[i].pid || workers[i].pid == pid) {
			workers[i].pid = pid;
			return &workers[i];
		}
	give_up("more than %d workers", MAX_WORKERS);
}

static void end_work(const struct worker *worker, double now_s)
{
	executed++;
	empty += !worker->records;
	if (worker->records > longest_records)
		longest_records = worker->records;
	if (now_s - worker->began_s > longest_s)
		longest_s = now_s - worker->began_s;
}

/* A line is `  NAME-PID  [CPU] FLAGS SECONDS: EVENT: ...`; a name may have anything in it. */
static void read_event(char *line)
{
	char *cpu = strstr(line, " ["), *dash, event[64];
	struct worker *worker;
	double now_s;

	if (!cpu || sscanf(cpu, " [%*d] %*s %lf: %63[^:]", &now_s, event) != 2)
		give_up("cannot read a line of the trace: %s", line);
	if (!strcmp(event, "workqueue_queue_work")) {
		queued++;
		return;
	}
	*cpu = '\0';
	dash = strrchr(line, '-');
	if (!dash)
		give_up("a line of the trace has no process: %s", line);
	worker = find_worker(atol(dash + 1));
	if (!strcmp(event, "kmem_cache_free")) {
		worker->records++;
	} else if (!strcmp(event, "workqueue_execute_start")) {
		worker->began_s = now_s;
		worker->records = 0;
	} else {
		end_work(worker, now_s);
	}
}

static void tell_works(void)
{
	FILE *events = fopen(TRACING "trace", "re");
	long kept, written;
	char line[1024];

	if (!events)
		die(TRACING "trace");
	while (fgets(line, sizeof(line), events)) {
		if (sscanf(line, "# entries-in-buffer/entries-written: %ld/%ld", &kept, &written) == 2 &&
		    kept != written)
			give_up("%ld of %ld events were overwritten", written - kept, written);
		if (line[0] != '#')
			read_event(line);
	}
	fclose(events);
	meta("queued_works", "%ld", queued);
	meta("executed_works", "%ld", executed);
	meta("empty_works", "%ld", empty);
	meta("empty_percent", "%ld", executed ? empty * 100 / executed : 0);
	meta("longest_work_records", "%ld", longest_records);
	meta("longest_work_ns", "%.0f", longest_s * 1e9);
}

/* ---- the whole -------------------------------------------------------------- */

static int64_t cpu_of_living(void)
{
	int64_t sum_ns = 0, ns;
	char path[64], text[128];

	for (long i = 0; i < victims; i++) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/schedstat", crowd[i].pid);
		file = fopen(path, "re");
		if (!file || !fgets(text, sizeof(text), file) || sscanf(text, "%ld", &ns) != 1)
			die(path);
		fclose(file);
		sum_ns += ns;
	}
	return sum_ns;
}

static int64_t cpu_of_dead(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_CHILDREN, &usage))
		die("getrusage");
	return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000LL +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000LL;
}

static void storm(void)
{
	struct recipe recipe = { .bytes = mib << 20, .extent_pages = extent_pages };
	struct layout layout = { 0 };
	int64_t before_ns;

	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	remember_idle();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	if (trace)
		watch_works();
	before_ns = cpu_of_living();

	kill_victims(victims, NULL);
	sample("exit_cpu_ns", cpu_of_dead() - before_ns, NULL);
	sleep_ns(settle_ms * MS);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	if (trace)
		tell_works();
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_cpu_ns", "ns", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "victims", 2, &victims, 1, MAX_VICTIMS, "processes to kill" },
		{ "mib", 32, &mib, 1, 4096, "memory of each victim, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 1, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "trace", 0, &trace, 0, 1, "1: watch the work items" },
		{ "settle_ms", 3000, &settle_ms, 0, 600000, "from the last exit to the look" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
