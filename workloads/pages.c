// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "harness.h"
#include "pages.h"

#define POOL_BYTES	(256 * 1024)
#define LINE_BYTES	128

long page_size;

static long seed, random_bytes;
static unsigned char noise[POOL_BYTES + BLOCK_BYTES];
static char prose[BLOCK_BYTES + LINE_BYTES];

/* splitmix64, by Sebastiano Vigna; public domain */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

void prepare_content(long content_seed, long mean_random_bytes)
{
	static const char * const words[] = {
		"activity ", "binder ", "camera ", "display ", "intent ", "layout ", "null ",
		"package ", "render ", "service ", "string ", "surface ", "thread ", "view ",
		"window ", "zygote ",
	};
	uint64_t state = content_seed;
	size_t length = 0;

	page_size = sysconf(_SC_PAGESIZE);
	seed = content_seed;
	random_bytes = mean_random_bytes;

	for (size_t i = 0; i < sizeof(noise); i += sizeof(state)) {
		uint64_t word = next_random(&state);

		memcpy(noise + i, &word, sizeof(word));
	}

	while (length < LINE_BYTES) {
		const char *word = words[next_random(&state) % 16];

		while (*word && length < LINE_BYTES)
			prose[length++] = *word++;
	}
	for (size_t i = LINE_BYTES; i < sizeof(prose); i++)
		prose[i] = prose[i - LINE_BYTES];
}

/*
 * Noise does not compress and prose compresses to next to nothing, so the share
 * of noise sets the compressed size. It differs from page to page, between half
 * and one and a half times random_bytes, to use many of zsmalloc's size classes.
 */
void fill(unsigned char *arena, size_t bytes, long number)
{
	long spread = random_bytes / 2;
	uint64_t state = (uint64_t)seed << 32 | (number + 1);

	if (spread > BLOCK_BYTES - random_bytes)
		spread = BLOCK_BYTES - random_bytes;

	for (unsigned char *block = arena; block < arena + bytes; block += BLOCK_BYTES) {
		uint64_t dice = next_random(&state);
		size_t noisy = random_bytes - spread + (dice >> 40) % (2 * spread + 1);

		memcpy(block, noise + dice % POOL_BYTES, noisy);
		memcpy(block + noisy, prose + (dice >> 20) % LINE_BYTES, BLOCK_BYTES - noisy);
	}
}

void fill_alike(unsigned char *arena, size_t bytes, enum content content)
{
	uint64_t word = content == ZERO ? 0 : 0x5a5aa5a5c3c33c3c;

	for (size_t at = 0; at < bytes; at += sizeof(word))
		memcpy(arena + at, &word, sizeof(word));
}

static long common_divisor(long a, long b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* The pieces of an arena, and the order in which they go out. */
struct pieces {
	size_t arena_bytes, bytes;	/* of each, but for the last */
	long count, step;
};

static struct pieces cut(size_t bytes, long extent_pages)
{
	size_t piece = extent_pages ? (size_t)(extent_pages * page_size) : bytes;
	long count = (bytes + piece - 1) / piece;
	long step = count * 618 / 1000 + 1;

	while (common_divisor(step, count) != 1)
		step++;
	return (struct pieces){ bytes, piece, count, step };
}

static struct iovec nth_piece(const struct pieces *pieces, unsigned char *arena, long number)
{
	size_t at = number * pieces->step % pieces->count * pieces->bytes;
	size_t rest = pieces->arena_bytes - at;

	return (struct iovec){ arena + at, rest < pieces->bytes ? rest : pieces->bytes };
}

void page_out(unsigned char *arena, size_t bytes, long extent_pages)
{
	struct pieces pieces = cut(bytes, extent_pages);

	for (long i = 0; i < pieces.count; i++) {
		struct iovec piece = nth_piece(&pieces, arena, i);

		if (madvise(piece.iov_base, piece.iov_len, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
	}
}

void page_out_in_turns(const struct remote *remotes, long count, size_t bytes, long extent_pages)
{
	struct pieces pieces = cut(bytes, extent_pages ? extent_pages : 1);

	if (!extent_pages)
		pieces.step = 1;
	for (long i = 0; i < pieces.count; i++)
		for (long one = 0; one < count; one++) {
			struct iovec piece = nth_piece(&pieces, remotes[one].arena, i);

			if (process_madvise(remotes[one].pidfd, &piece, 1, MADV_PAGEOUT, 0) !=
			    (ssize_t)piece.iov_len)
				die("process_madvise");
		}
}

void add_layout(struct layout *layout, int pagemap, const void *arena, size_t bytes)
{
	static uint64_t entries[4096];
	off_t first = (uintptr_t)arena / page_size;
	long pages = bytes / page_size;
	uint64_t previous = 0;

	for (long done = 0; done < pages;) {
		long most = sizeof(entries) / sizeof(entries[0]);
		size_t want = (pages - done < most ? pages - done : most) * sizeof(entries[0]);
		ssize_t got = pread(pagemap, entries, want, (first + done) * sizeof(entries[0]));

		if (got <= 0)
			die("pagemap");
		for (long i = 0; i < got / (ssize_t)sizeof(entries[0]); i++) {
			bool swapped = entries[i] & (1ULL << 62);
			/* bits 0-4 are the swap area, 5-54 the slot in it */
			uint64_t slot = entries[i] & ((1ULL << 55) - 1);

			layout->swapped_pages += swapped;
			if (swapped && (!previous || slot != previous + (1 << 5)))
				layout->extents++;
			previous = swapped ? slot : 0;
		}
		done += got / sizeof(entries[0]);
	}
}

int open_pagemap(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}
