// SPDX-License-Identifier: GPL-2.0-only
/*
 * oom - kill victims, let what they held settle, and then run out of memory.
 *
 * With memcg=0 one process locks memory until the OOM killer ends it; the clock
 * then asks when swap is as free as before the victims. With memcg=1 the victims
 * shared a control group with a limit, and a newcomer needs all that they gave
 * back: what is still charged for them gets the newcomer killed.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"
#include "left.h"
#include "victims.h"

#define STEP_BYTES	(1 << 20)

static long victims, mib, hog_mib, seed, random_bytes, extent_pages;
static long memcg, memory_max_mib, swap_max_mib;
static long settle_ms, others_mib, recover_deadline_ms, swapoff_deadline_ms, min_swapped_permille;
static long *hog_grew_mib;	/* shared with the hog */

static void join_the_group(long number)
{
	(void)number;
	if (memcg)
		join_cgroup(0);
}

static void __attribute__((noreturn)) be_hog(void)
{
	join_the_group(0);
	write_text("/proc/self/oom_score_adj", "1000");
	if (!memcg && mlockall(MCL_FUTURE))
		die("mlockall");
	while (!hog_mib || *hog_grew_mib < hog_mib) {
		unsigned char *more = mmap(NULL, STEP_BYTES, PROT_READ | PROT_WRITE,
					   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (more == MAP_FAILED)
			die("mmap of the hog");
		fill(more, STEP_BYTES, MAX_VICTIMS + *hog_grew_mib);
		++*hog_grew_mib;
	}
	_exit(EXIT_SUCCESS);
}

/* Return whether the hog was killed. */
static bool run_hog(void)
{
	pid_t pid;
	int status;

	hog_grew_mib = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			    -1, 0);
	if (hog_grew_mib == MAP_FAILED)
		die("mmap");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		be_hog();
	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		give_up("the hog failed");
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* What the living had to put into swap while memory was short is theirs, and stays. */
static void time_recovery(const struct usage *idle)
{
	long enough = idle->swap_pages + (others_mib << 20) / page_size;
	int64_t start = now_ns();

	while (read_swap_pages() > enough) {
		if (now_ns() - start > recover_deadline_ms * MS) {
			sample_never("recover_ns", NULL);
			return;
		}
		sleep_ns(MS);
	}
	sample("recover_ns", now_ns() - start, NULL);
}

static void limit_the_group(void)
{
	char bytes[24];

	mount_cgroups();
	make_cgroup(0);
	snprintf(bytes, sizeof(bytes), "%ld", memory_max_mib << 20);
	write_cgroup(0, "memory.max", bytes);
	snprintf(bytes, sizeof(bytes), "%ld", swap_max_mib << 20);
	write_cgroup(0, "memory.swap.max", bytes);
}

static void run_out(void)
{
	struct recipe recipe = {
		.bytes = mib << 20, .extent_pages = extent_pages, .at_first = join_the_group,
	};
	static struct vmstat before, after;
	struct layout layout = { 0 };
	struct usage idle;
	bool killed;

	open_swap();
	prepare_content(seed, random_bytes);
	become_observer();
	if (memcg)
		limit_the_group();
	remember_idle();
	idle = read_usage();
	read_vmstat(&before);
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, &layout);
	kill_victims(victims, NULL);
	sleep_ns(settle_ms * MS);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("left_pages_before_oom", "%ld", read_swap_pages() - idle.swap_pages);

	killed = run_hog();
	time_recovery(&idle);
	read_vmstat(&after);
	if (vmstat_moved(&before, &after, "oom_kill") < 0)
		cannot_test("the kernel does not count OOM kills");
	sample("oom_kills", vmstat_moved(&before, &after, "oom_kill"), NULL);
	meta("hog_mib", "%ld", *hog_grew_mib);
	meta("hog", killed ? "killed" : "content");
	/* the hog has just exited: who frees later has as long for it as after the kill */
	sleep_ns(settle_ms * MS);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "oom_kills", "kills", "lower" },
		{ "recover_ns", "ns", "lower" },
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
		{ "hog_mib", 0, &hog_mib, 0, 65536, "what the hog wants, MiB; 0: all there is" },
		{ "memcg", 0, &memcg, 0, 1, "1: within a limited control group" },
		{ "memory_max_mib", 64, &memory_max_mib, 1, 65536, "the group's memory, MiB" },
		{ "swap_max_mib", 328, &swap_max_mib, 1, 65536, "the group's swap, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 0, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "settle_ms", 1000, &settle_ms, 0, 600000, "from the last exit to the hog" },
		{ "others_mib", 16, &others_mib, 0, 65536, "swap that the living may have, MiB" },
		{ "recover_deadline_ms", 5000, &recover_deadline_ms, 0, 600000,
		  "how long swap may stay in use after the hog's end" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = run_out,
};
