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
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"
#include "left.h"
#include "phone.h"

#define FIRST_ADJ	999	/* of the app that was not used for longest */
#define ADJ_STEP	10

static void settle_in(long number)
{
	char adj[24];

	join_cgroup(number);
	snprintf(adj, sizeof(adj), "%ld", FIRST_ADJ - ADJ_STEP * number);
	write_text("/proc/self/oom_score_adj", adj);
}

void start_apps(long apps, struct recipe *recipe, const struct ways *ways)
{
	recipe->at_first = settle_in;
	mount_cgroups();
	prepare_ways(ways, apps, recipe);
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
