// SPDX-License-Identifier: GPL-2.0-only
/*
 * worker_gap - how long a storm and its aftermath keep others from a CPU.
 *
 * Two probes sleep a millisecond again and again, one as SCHED_FIFO and one as an
 * ordinary task, and keep the longest time that they were late: by as much
 * somebody else did not let go. The preemption model is chosen as it runs.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

static long victims, mib, seed, random_bytes, extent_pages, preemption;
static long settle_ms, swapoff_deadline_ms, min_swapped_permille;

static void choose_preemption(void)
{
	static const char * const models[] = { NULL, "none", "voluntary", "full", "lazy" };

	if (!mount_debugfs())
		cannot_test("the kernel has no debugfs");
	if (!can_write_text("/sys/kernel/debug/sched/preempt", models[preemption]))
		cannot_test("the kernel has no preemption model %s", models[preemption]);
	meta("preemption", "%s", models[preemption]);
}

static void __attribute__((noreturn)) be_probe(volatile int64_t *latest_ns, int policy)
{
	struct sched_param priority = { .sched_priority = policy == SCHED_FIFO ? 40 : 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || mlockall(MCL_CURRENT | MCL_FUTURE) ||
	    sched_setscheduler(0, policy, &priority))
		die("a probe");
	for (;;) {
		int64_t start = now_ns(), late;

		sleep_ns(MS);
		late = now_ns() - start - MS;
		if (late > *latest_ns)
			*latest_ns = late;
	}
}

static pid_t start_probe(volatile int64_t *latest_ns, int policy)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid)
		be_probe(latest_ns, policy);
	return pid;
}

static void storm(void)
{
	struct recipe recipe = { .bytes = mib << 20, .extent_pages = extent_pages };
	volatile int64_t *late_ns = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct layout layout = { 0 };
	pid_t probes[2];

	if (late_ns == MAP_FAILED)
		die("mmap");
	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	if (preemption)
		choose_preemption();
	/* a soft lockup is then one of two seconds rather than twenty */
	if (!can_write_text("/proc/sys/kernel/watchdog_thresh", "1"))
		cannot_test("the kernel has no soft-lockup detector");
	remember_idle();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	probes[0] = start_probe(&late_ns[0], SCHED_FIFO);
	probes[1] = start_probe(&late_ns[1], SCHED_OTHER);
	sleep_ns(50 * MS);
	late_ns[0] = late_ns[1] = 0;

	sample("makespan_ns", kill_victims(victims, NULL) - crowd[0].killed_at, NULL);
	sleep_ns(settle_ms * MS);
	for (int i = 0; i < 2; i++)
		if (kill(probes[i], SIGKILL) || waitpid(probes[i], NULL, 0) < 0)
			die("the end of a probe");
	sample("fifo_late_ns", late_ns[0], NULL);
	sample("ordinary_late_ns", late_ns[1], NULL);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "makespan_ns", "ns", "lower" },
		{ "fifo_late_ns", "ns", "lower" },
		{ "ordinary_late_ns", "ns", "lower" },
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
		{ "extent_pages", 1, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "preemption", 0, &preemption, 0, 4,
		  "0 as booted, 1 none, 2 voluntary, 3 full, 4 lazy" },
		{ "settle_ms", 3000, &settle_ms, 0, 600000, "from the last exit to the look" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
