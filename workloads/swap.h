/* SPDX-License-Identifier: GPL-2.0-only */
/* swap - the swap area and the zram behind it: what is in use, and swapoff. */
#ifndef SWAP_H
#define SWAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct usage {
	long swap_pages;
	long zram_orig_bytes;
	long zram_compr_bytes;
	long zram_memory_bytes;
};

struct vmstat {
	char text[32 * 1024];
};

/* Find the swap area; an error unless there is exactly one, on zram. */
void open_swap(void);

long read_swap_pages(void);
void read_zram(struct usage *usage);
struct usage read_usage(void);
bool is_within(const struct usage *usage, const struct usage *limit);

void read_vmstat(struct vmstat *vmstat);
/* The difference of one counter; -1 if this kernel has none of that name. */
long vmstat_moved(const struct vmstat *before, const struct vmstat *after, const char *name);
/* Record what moved as meta vmstat.NAME. */
void tell_vmstat(const struct vmstat *before, const struct vmstat *after);

struct swapoff_result {
	int64_t begin;
	int64_t end;
	int64_t cpu_ns;
	int error;
};

struct swapoff {
	pid_t pid;
	int pidfd;
	struct swapoff_result *result;
};

/* In a child, because a swapoff that cannot finish must not take us along. */
struct swapoff start_swapoff(int64_t delay_ns);
/*
 * Wait for it, kill it at the deadline, and record meta swapoff and the samples swapoff_ns,
 * which is never unless it succeeded, and swapoff_cpu_ns, what it cost until then. Return
 * whether it did.
 */
bool finish_swapoff(const struct swapoff *attempt, long deadline_ms);

#endif
