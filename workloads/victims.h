/* SPDX-License-Identifier: GPL-2.0-only */
/* victims - processes that have all their memory in swap, and their end. */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pages.h"

#define MS		1000000LL
#define MAX_VICTIMS	64

struct victim {
	pid_t pid;
	int pidfd;
	void *arena;
	char label[16];
	int64_t killed_at;
	int64_t exited_at;
};

/* What every victim is made of; the hooks run in the victim and may be NULL. */
struct recipe {
	size_t bytes;
	long extent_pages;	/* as for page_out() */
	bool large_folios;	/* as the system gives them, rather than base pages */
	void (*at_first)(long number);
	void (*when_out)(unsigned char *arena, size_t bytes);
};

extern struct victim crowd[MAX_VICTIMS];

/* Lock ourselves in memory and run before all others, so that an exit is seen when it happens. */
void become_observer(void);

/* Return once the victim's pages are filled and paged out. */
void start_victim(struct victim *victim, long number, const struct recipe *recipe);

/* Add up where the victims' pages are; an error if too small a share is in swap. */
void check_victims(long victims, size_t bytes, long min_swapped_permille, struct layout *layout);

/*
 * Kill all victims and return when the last of them has been reaped. The hook,
 * which may be NULL, runs after each kill.
 */
int64_t kill_victims(long victims, void (*killed)(long number));

#endif
