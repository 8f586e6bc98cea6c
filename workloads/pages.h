/* SPDX-License-Identifier: GPL-2.0-only */
/* pages - what a victim's memory holds, how it goes to swap, and where it lies there. */
#ifndef PAGES_H
#define PAGES_H

#include <stddef.h>
#include <sys/types.h>

#define BLOCK_BYTES	4096	/* what random_bytes is a part of, whatever the page size */

/* What is in a page: noise and prose, or the same word all over, which zram does not store. */
enum content { MIXED, ZERO, SAME };

struct layout {
	long swapped_pages;
	long extents;	/* runs of neighbouring pages in neighbouring swap slots */
};

extern long page_size;

/* Call before anything else here. random_bytes: mean of incompressible bytes in each block. */
void prepare_content(long seed, long random_bytes);

/* Fill an arena with pages that only the same seed and number fill alike. */
void fill(unsigned char *arena, size_t bytes, long number);
/* Fill it with one word. */
void fill_alike(unsigned char *arena, size_t bytes, enum content content);

/*
 * Page an arena out. Neighbouring pages get neighbouring swap slots if they go
 * out together. With extent_pages the arena goes out in pieces of that many, each
 * next one far from the last, as if reclaim had met them in the order of their use.
 */
void page_out(unsigned char *arena, size_t bytes, long extent_pages);

/*
 * Page out the arenas of several processes, all of the same size, in turns: a piece of
 * extent_pages (0: a page, in the order of their addresses) of each, then the next of each.
 */
struct remote {
	int pidfd;
	unsigned char *arena;
};
void page_out_in_turns(const struct remote *remotes, long count, size_t bytes, long extent_pages);

int open_pagemap(pid_t pid);
void add_layout(struct layout *layout, int pagemap, const void *arena, size_t bytes);

#endif
