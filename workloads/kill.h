/* SPDX-License-Identifier: GPL-2.0-only */
/* kill - the ways in which processes are made to die, as parameters of a workload. */
#ifndef KILL_H
#define KILL_H

#include <stdint.h>

#include "victims.h"

struct ways {
	long kill;		/* enum kill */
	long stagger_ms;	/* between two kills */
	long reapers;		/* threads that call process_mrelease */
};

enum kill { BY_SIGNAL, BY_CGROUP, BY_EXIT };

#define KILL_PARAMETERS(ways) \
	{ "kill", BY_SIGNAL, &(ways).kill, BY_SIGNAL, BY_EXIT, \
	  "0 SIGKILL, 1 cgroup.kill, 2 exit() of their own" }, \
	{ "stagger_ms", 0, &(ways).stagger_ms, 0, 1000, "between two kills" }, \
	{ "reapers", 0, &(ways).reapers, 0, 8, \
	  "threads that call process_mrelease on the killed" }

/* An error if the ways exclude each other. Call it before anything else here. */
void check_ways(const struct ways *ways);

/*
 * Have victims of this recipe be as they must be to be killed so: in groups of their own
 * for BY_CGROUP, unless at_first sees to that.
 */
void prepare_ways(const struct ways *ways, long victims, struct recipe *recipe);

/* Kill so many, in this order (NULL: as started), and return when the last was reaped. */
int64_t kill_in_ways(const struct ways *ways, long victims, const long *order);

/*
 * Sample kill_ns, the calls that kill, for each; with reapers mrelease_ns, and what
 * finish_reaping() records.
 */
void tell_ways(const struct ways *ways, long victims, const long *order);

#endif
