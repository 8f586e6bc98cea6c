/* SPDX-License-Identifier: GPL-2.0-only */
/* victims - processes that have all their memory in swap, and their end. */
#ifndef VICTIMS_H
#define VICTIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pages.h"

#define MAX_VICTIMS	64

struct victim {
	pid_t pid;
	int pidfd;
	void *arena;
	char label[16];
	int64_t killed_at;
	int64_t kill_ns;	/* what the call that kills took */
	int64_t exited_at;
};

/* What every victim is made of; the hooks run in the victim and may be NULL. */
struct recipe {
	size_t bytes;
	size_t present_bytes;	/* at the end of them, that are not paged out */
	enum content content;
	long extent_pages;	/* as for page_out() */
	bool in_turns;		/* page_out_crowd() pages out, not the victim */
	bool large_folios;	/* as the system gives them, rather than base pages */
	bool exits_when_told;	/* by SIGUSR1 */
	void (*at_first)(long number);
	void (*when_out)(unsigned char *arena, size_t bytes);
};

extern struct victim crowd[MAX_VICTIMS];

/* Lock ourselves in memory and run before all others, so that an exit is seen when it happens. */
void become_observer(void);

/* Return once the victim's pages are filled and, unless that is done in turns, paged out. */
void start_victim(struct victim *victim, long number, const struct recipe *recipe);

/* Page the victims out so that neighbouring swap slots belong to different ones. */
void page_out_crowd(long victims, const struct recipe *recipe);

/*
 * Add up where the victims' pages are; an error if a larger share than is allowed
 * is in swap that should not be, or is not that should.
 */
void check_victims(long victims, const struct recipe *recipe, long min_swapped_permille,
		   struct layout *layout);

/* How the crowd dies; what is left zero is SIGKILL, at once. */
struct death {
	const long *order;		/* whose turn it is; NULL: as they were started */
	int64_t stagger_ns;		/* between two of them */
	void (*strike)(long number);	/* what kills, instead of SIGKILL */
	void (*struck)(long number);	/* after each, or NULL */
	bool by_exit;			/* it is the victim that ends itself */
};

/* End so many victims, and return when the last of them has been reaped. */
int64_t end_victims(long victims, const struct death *death);

/* SIGKILL to all at once; the hook, which may be NULL, runs after each kill. */
int64_t kill_victims(long victims, void (*killed)(long number));

#endif
