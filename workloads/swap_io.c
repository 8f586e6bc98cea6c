// SPDX-License-Identifier: GPL-2.0-only
/*
 * swap_io - page memory out and read it back: what a series about exits must
 * leave as it is.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "swap.h"
#include "victims.h"

static long mib, seed, random_bytes, min_swapped_permille;

static struct layout look_at(int pagemap, const void *arena, size_t bytes)
{
	struct layout layout = { 0 };

	add_layout(&layout, pagemap, arena, bytes);
	return layout;
}

static void out_and_in(void)
{
	static struct vmstat before, after;
	size_t bytes = mib << 20;
	struct layout layout;
	unsigned char *arena;
	int64_t start;
	int pagemap;

	open_swap();
	prepare_content(seed, random_bytes);
	pagemap = open_pagemap(getpid());
	arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		die("mmap");
	if (madvise(arena, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("MADV_NOHUGEPAGE");
	fill(arena, bytes, 0);

	read_vmstat(&before);
	start = now_ns();
	page_out(arena, bytes, 0);
	sample("swap_out_ns", now_ns() - start, NULL);
	layout = look_at(pagemap, arena, bytes);
	if (layout.swapped_pages * 1000 < (long)bytes / page_size * min_swapped_permille)
		give_up("%ld of %ld pages are in swap", layout.swapped_pages,
			(long)bytes / page_size);

	start = now_ns();
	for (size_t at = 0; at < bytes; at += page_size)
		*(volatile unsigned char *)(arena + at);
	sample("swap_in_ns", now_ns() - start, NULL);
	read_vmstat(&after);
	if (look_at(pagemap, arena, bytes).swapped_pages)
		give_up("pages are in swap that were read back");
	meta("swapped_pages", "%ld", layout.swapped_pages);
	tell_vmstat(&before, &after);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "swap_out_ns", "ns", "lower" },
		{ "swap_in_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "mib", 256, &mib, 1, 4096, "memory to page out and read back, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = out_and_in,
};
