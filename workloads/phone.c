// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"
#include "left.h"
#include "phone.h"
#include "swap.h"

#define FIRST_ADJ	999	/* of the app that was not used for longest */
#define ADJ_STEP	10
#define PRESSERS	2	/* beside kswapd; eight leave swap itself without memory */

static void settle_in(long number)
{
	char adj[24];

	join_cgroup(number);
	snprintf(adj, sizeof(adj), "%ld", FIRST_ADJ - ADJ_STEP * number);
	write_text("/proc/self/oom_score_adj", adj);
}

void start_apps(long apps, struct recipe *recipe, const struct ways *ways)
{
	struct ways before_reapers = *ways;

	before_reapers.reapers = 0;
	recipe->at_first = settle_in;
	mount_cgroups();
	prepare_ways(&before_reapers, apps, recipe);
	for (long i = 0; i < apps; i++) {
		make_cgroup(i);
		start_victim(&crowd[i], i, recipe);
	}
}

static long read_adj(long number)
{
	char path[48], text[24];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", crowd[number].pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	read_text(fd, text, sizeof(text), path);
	close(fd);
	return atol(text);
}

static int by_adj(const void *a, const void *b)
{
	return read_adj(*(const long *)b) - read_adj(*(const long *)a);
}

void order_by_adj(long *order, long apps)
{
	for (long i = 0; i < apps; i++)
		order[i] = i;
	qsort(order, apps, sizeof(order[0]), by_adj);
}

size_t free_memory(void)
{
	struct sysinfo now;

	if (sysinfo(&now))
		die("sysinfo");
	return (size_t)now.freeram * now.mem_unit;
}

static void __attribute__((noreturn)) be_filler(size_t most_bytes, size_t free_bytes, int filled)
{
	const size_t piece = 64 * page_size;
	unsigned char *arena = mmap(NULL, most_bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (arena == MAP_FAILED || prctl(PR_SET_PDEATHSIG, SIGKILL) ||
	    (madvise(arena, most_bytes, MADV_NOHUGEPAGE) && errno != EINVAL))
		die("what fills the memory");
	/* piece by piece, and look again: page tables are memory, too */
	for (size_t at = 0; at + piece <= most_bytes && free_memory() > free_bytes; at += piece)
		fill(arena + at, piece, MAX_VICTIMS);
	if (write(filled, "", 1) != 1)
		die("the pipe of what fills the memory");
	for (;;)
		pause();
}

void fill_memory(size_t free_bytes)
{
	size_t now_free = free_memory();
	int filled[2];
	char byte;
	pid_t pid;

	if (now_free < free_bytes)
		give_up("%zu KiB of memory are free, %zu are wanted", now_free >> 10,
			free_bytes >> 10);
	if (pipe2(filled, O_CLOEXEC))
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		be_filler((now_free - free_bytes) / page_size * page_size, free_bytes, filled[1]);
	close(filled[1]);
	if (read(filled[0], &byte, 1) != 1)
		give_up("what fills the memory ended before it had");
	close(filled[0]);
}

/* One that nobody would miss, and that no reclaim takes anything from. */
static void __attribute__((noreturn)) be_presser(long wanted_pages)
{
	const size_t piece = 16 * page_size;
	struct sysinfo now;
	unsigned char *arena;

	write_text("/proc/self/oom_score_adj", "1000");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || mlockall(MCL_FUTURE | MCL_ONFAULT) ||
	    sysinfo(&now))
		die("what presses others out");
	arena = mmap(NULL, now.totalram * now.mem_unit, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED || (madvise(arena, now.totalram * now.mem_unit, MADV_NOHUGEPAGE) &&
				    errno != EINVAL))
		die("what presses others out");
	for (size_t at = 0; read_swap_pages() < wanted_pages; at += piece)
		for (size_t i = 0; i < piece; i += page_size)
			arena[at + i] = 1;
	_exit(EXIT_SUCCESS);
}

void press_out(long pages)
{
	long wanted_pages = read_swap_pages() + pages;
	pid_t pids[PRESSERS];
	int status;

	for (int i = 0; i < PRESSERS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			be_presser(wanted_pages);
	}
	for (int i = 0; i < PRESSERS; i++)
		if (waitpid(pids[i], &status, 0) != pids[i] || status)
			give_up("reclaim has put %ld pages in swap, and %ld are wanted",
				read_swap_pages(), wanted_pages);
}
