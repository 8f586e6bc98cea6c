// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_free - free swap in every way but dying: the paths that a series about
 * exits must leave as they are.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"
#include "victims.h"

enum way { TMPFS, MUNMAP, DONTNEED, EXEC };

static long way, mib, seed, random_bytes, extent_pages;
static long idle_ms, swapoff_deadline_ms, min_swapped_permille;

static int make_file(size_t bytes)
{
	int fd;

	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
		cannot_test("the kernel has no tmpfs");
	fd = open("/tmp/file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, bytes))
		die("/tmp/file");
	return fd;
}

static unsigned char *swapped_arena(size_t bytes, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	unsigned char *arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	long before = read_swap_pages(), pages = bytes / page_size;

	if (arena == MAP_FAILED)
		die("mmap");
	if (madvise(arena, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("MADV_NOHUGEPAGE");
	fill(arena, bytes, 0);
	for (int i = 0; i < 4; i++)
		page_out(arena, bytes, extent_pages);
	if ((read_swap_pages() - before) * 1000 < pages * min_swapped_permille)
		give_up("%ld of %ld pages are in swap", read_swap_pages() - before, pages);
	meta("swapped_pages", "%ld", read_swap_pages() - before);
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
		swapped_arena(bytes, -1);
		execl("/bin/busybox", "true", NULL);
		_exit(EXIT_FAILURE);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		give_up("the child that executes failed");
}

static void free_arena(size_t bytes)
{
	int fd = way == TMPFS ? make_file(bytes) : -1;
	unsigned char *arena = swapped_arena(bytes, fd);
	int64_t start = now_ns();

	switch (way) {
	case TMPFS:
		if (munmap(arena, bytes) || close(fd) || unlink("/tmp/file"))
			die("unlink");
		break;
	case MUNMAP:
		if (munmap(arena, bytes))
			die("munmap");
		break;
	case DONTNEED:
		if (madvise(arena, bytes, MADV_DONTNEED))
			die("MADV_DONTNEED");
	}
	sample("free_ns", now_ns() - start, NULL);
}

static void free_alive(void)
{
	open_swap();
	prepare_content(seed, random_bytes);
	remember_idle();
	if (way == EXEC) {
		int64_t start = now_ns();

		free_by_exec(mib << 20);
		sample("free_ns", now_ns() - start, "with-page-out");
	} else {
		free_arena(mib << 20);
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
		{ "swapoff_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "way", 1, &way, TMPFS, EXEC, "0 delete a file, 1 munmap, 2 MADV_DONTNEED, 3 exec" },
		{ "mib", 128, &mib, 1, 4096, "memory to free, MiB" },
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
