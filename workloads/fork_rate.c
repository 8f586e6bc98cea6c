// SPDX-License-Identifier: GPL-2.0-only
/*
 * fork_rate - fork and exit with nothing in swap.
 *
 * What every exit pays for a series that is about swapped-out ones. The exits
 * come at a given rate, as on a busy machine, or as fast as they go.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"
#include "harness.h"
#include "left.h"
#include "victims.h"

static long forks, per_second, seed;

/*
 * Begin again, where the kernel lays nobody out at random: a mapping that crosses into
 * another page table is 3 % more of a fork, and its place differs from boot to boot.
 */
static void fix_layout(void)
{
	static char words[4096];
	char *arguments[64];
	int count = 0, fd;

	if (personality(0xffffffff) & ADDR_NO_RANDOMIZE)
		return;
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("/proc/self/cmdline");
	read_text(fd, words, sizeof(words), "/proc/self/cmdline");
	for (char *word = words; *word && count < 63; word += strlen(word) + 1)
		arguments[count++] = word;
	arguments[count] = NULL;
	if (personality(ADDR_NO_RANDOMIZE) < 0 || execv("/proc/self/exe", arguments))
		die("/proc/self/exe");
}

/*
 * When a fork is due, after the first. The intervals differ by the golden ratio's multiples:
 * of one length, they keep their place between two timer ticks, and RCU its pace.
 */
static int64_t due_ns(long number)
{
	int64_t interval_ns = 1000 * MS / per_second;

	return number * interval_ns + number * 618034 % 1000000 * interval_ns / 1000000;
}

static void fork_and_exit(void)
{
	int64_t start, cpu_ns;

	fix_layout();
	open_swap();
	open_cpus();
	remember_idle();
	start = now_ns();
	/*
	 * Not the time from fork() to waitpid(): what the kernel does for a fork later, as RCU
	 * does, falls into the next one's or between them.
	 */
	cpu_ns = -read_cpu_ns();
	for (long i = 0; i < forks; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			_exit(EXIT_SUCCESS);
		if (waitpid(pid, NULL, 0) != pid)
			die("waitpid");
		/* at once if it is past: a difference of two times may be less than nothing */
		if (per_second)
			sleep_until(start + due_ns(i + 1));
	}
	cpu_ns += read_cpu_ns();
	sample("fork_ns", cpu_ns / forks, NULL);
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
