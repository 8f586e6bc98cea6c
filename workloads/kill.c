// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <sys/pidfd.h>

#include "cgroup.h"
#include "harness.h"
#include "kill.h"
#include "reapers.h"

static void kill_cgroup(long number)
{
	write_cgroup(number, "cgroup.kill", "1");
}

static void tell_to_exit(long number)
{
	if (pidfd_send_signal(crowd[number].pidfd, SIGUSR1, NULL, 0))
		die("pidfd_send_signal");
}

void check_ways(const struct ways *ways)
{
	/* the kernel releases the memory of nobody who was not sent SIGKILL by then */
	if (ways->reapers && ways->kill != BY_SIGNAL)
		give_up("reapers=%ld goes with kill=0 only", ways->reapers);
}

void prepare_ways(const struct ways *ways, long victims, struct recipe *recipe)
{
	recipe->exits_when_told = ways->kill == BY_EXIT;
	if (ways->kill == BY_CGROUP && !recipe->at_first) {
		mount_cgroups();
		for (long i = 0; i < victims; i++)
			make_cgroup(i);
		recipe->at_first = join_cgroup;
	}
	if (ways->reapers)
		start_reapers(ways->reapers);
}

int64_t kill_in_ways(const struct ways *ways, long victims, const long *order)
{
	static void (*const strikes[])(long number) = {
		[BY_SIGNAL] = NULL, [BY_CGROUP] = kill_cgroup, [BY_EXIT] = tell_to_exit,
	};
	struct death death = {
		.order = order,
		.stagger_ns = ways->stagger_ms * MS,
		.strike = strikes[ways->kill],
		.struck = ways->reapers ? order_reaping : NULL,
		.by_exit = ways->kill == BY_EXIT,
	};

	return end_victims(victims, &death);
}

void tell_ways(const struct ways *ways, long victims, const long *order)
{
	for (long i = 0; i < victims; i++) {
		const struct victim *victim = &crowd[order ? order[i] : i];

		sample("kill_ns", victim->kill_ns, victim->label);
	}
	if (ways->reapers)
		finish_reaping("mrelease_ns");
}
