// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_free - free swap in every way but dying: the paths that a series about
 * exits must leave as they are.
 *
 * Several processes have their memory paged out one after the other, free it at
 * once, and live on until the last of them has.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

enum way { TMPFS, MUNMAP, DONTNEED, EXEC };

#define MAX_PROCESSES	4

static long way, processes, mib, seed, random_bytes, extent_pages;
static long idle_ms, swapoff_deadline_ms, min_swapped_permille;

/* What the processes share. */
static struct {
	pthread_barrier_t all_out, all_freed;
	int64_t free_ns[MAX_PROCESSES];
} *meeting;

static int make_file(size_t bytes)
{
	/* the process has it open, and nobody else needs its name */
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, bytes))
		die("/tmp");
	return fd;
}

static unsigned char *swapped_arena(size_t bytes, int fd, long number)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	unsigned char *arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	long before = read_swap_pages(), pages = bytes / page_size;

	if (arena == MAP_FAILED)
		die("mmap");
	if (madvise(arena, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("MADV_NOHUGEPAGE");
	fill(arena, bytes, number);
	for (int i = 0; i < 4; i++)
		page_out(arena, bytes, extent_pages);
	if ((read_swap_pages() - before) * 1000 < pages * min_swapped_permille)
		give_up("%ld of %ld pages are in swap", read_swap_pages() - before, pages);
	return arena;
}

/* The child has the arena to itself before it executes something else. */
static void free_by_exec(size_t bytes)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		swapped_arena(bytes, -1, 0);
		execl("/bin/busybox", "true", NULL);
		_exit(EXIT_FAILURE);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		give_up("the child that executes failed");
}

static void free_arena(unsigned char *arena, size_t bytes, int fd)
{
	switch (way) {
	case TMPFS:
		if (munmap(arena, bytes) || close(fd))
			die("the end of a file");
		break;
	case MUNMAP:
		if (munmap(arena, bytes))
			die("munmap");
		break;
	case DONTNEED:
		if (madvise(arena, bytes, MADV_DONTNEED))
			die("MADV_DONTNEED");
	}
}

static void __attribute__((noreturn)) be_process(long number, int ready)
{
	size_t bytes = mib << 20;
	int fd = way == TMPFS ? make_file(bytes) : -1;
	unsigned char *arena = swapped_arena(bytes, fd, number);
	int64_t start;

	if (write(ready, "", 1) != 1)
		die("the pipe of a process");
	pthread_barrier_wait(&meeting->all_out);
	start = now_ns();
	free_arena(arena, bytes, fd);
	meeting->free_ns[number] = now_ns() - start;
	pthread_barrier_wait(&meeting->all_freed);
	_exit(EXIT_SUCCESS);
}

static void start_process(long number)
{
	int ready[2];
	char byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC))
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid)
		be_process(number, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		give_up("process %ld ended before it was ready", number);
	close(ready[0]);
}

static void prepare_meeting(void)
{
	pthread_barrierattr_t shared;

	meeting = mmap(NULL, sizeof(*meeting), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (meeting == MAP_FAILED || pthread_barrierattr_init(&shared) ||
	    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) ||
	    pthread_barrier_init(&meeting->all_out, &shared, processes) ||
	    pthread_barrier_init(&meeting->all_freed, &shared, processes))
		give_up("the processes cannot meet");
}

static void free_at_once(void)
{
	long before = read_swap_pages();

	if (way == TMPFS && mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
		cannot_test("the kernel has no tmpfs");
	prepare_meeting();
	for (long i = 0; i < processes; i++)
		start_process(i);
	meta("swapped_pages", "%ld", read_swap_pages() - before);
	for (long i = 0; i < processes; i++) {
		int status;

		if (wait(&status) < 0 || status)
			give_up("a process failed");
	}
	for (long i = 0; i < processes; i++) {
		const char label[] = { '0' + i, '\0' };

		sample("free_ns", meeting->free_ns[i], label);
	}
}

static void free_alive(void)
{
	if (way == EXEC && processes > 1)
		give_up("only one process executes another program: processes=1");
	open_swap();
	prepare_content(seed, random_bytes);
	remember_idle();
	if (way == EXEC) {
		int64_t start = now_ns();

		free_by_exec(mib << 20);
		sample("free_ns", now_ns() - start, "with-page-out");
	} else {
		free_at_once();
	}
	sleep_ns(idle_ms * MS);
	tell_left();
	tell_swapoff(swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "free_ns", "ns", "lower" },
		{ "left_pages", "pages", "lower" },
		{ "left_bytes", "bytes", "lower" },
		{ "left_pool_bytes", "bytes", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "way", 1, &way, TMPFS, EXEC, "0 delete a file, 1 munmap, 2 MADV_DONTNEED, 3 exec" },
		{ "processes", 1, &processes, 1, MAX_PROCESSES, "that free at once" },
		{ "mib", 128, &mib, 1, 4096, "memory that each frees, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 0, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "idle_ms", 1000, &idle_ms, 0, 600000, "from the end to the look" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = free_alive,
};
