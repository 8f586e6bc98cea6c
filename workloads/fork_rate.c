// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork_rate - fork and exit with nothing in swap.
 *
 * What every exit pays for a series that is about swapped-out ones. The exits
 * come at a given rate, as on a busy machine, or as fast as they go.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

static long forks, per_second, seed;

static void fork_and_exit(void)
{
	int64_t start, busy_ns = 0;

	open_swap();
	remember_idle();
	start = now_ns();
	for (long i = 0; i < forks; i++) {
		int64_t begin = now_ns();
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			_exit(EXIT_SUCCESS);
		if (waitpid(pid, NULL, 0) != pid)
			die("waitpid");
		busy_ns += now_ns() - begin;
		if (per_second && now_ns() - start < (i + 1) * 1000 * MS / per_second)
			sleep_ns((i + 1) * 1000 * MS / per_second - (now_ns() - start));
	}
	sample("fork_ns", busy_ns / forks, NULL);
	meta("forks_per_second", "%lld", (long long)(forks * 1000 * MS / (now_ns() - start)));
	tell_left();
	tell_swapoff(1000);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "fork_ns", "ns", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "forks", 3000, &forks, 1, 10000000, "processes that are forked and exit" },
		{ "per_second", 1000, &per_second, 0, 1000000, "how many a second; 0: all it can" },
		{ "seed", 1, &seed, 0, INT32_MAX, "unused: nothing is drawn" },
		{ 0 },
	},
	.iterate = fork_and_exit,
};
