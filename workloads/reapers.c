// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness.h"
#include "reapers.h"
#include "victims.h"

#define MAX_REAPERS	8
#define STACK_BYTES	(128 << 10)

struct reaping {
	bool ordered;
	int error;
	int64_t ns;
};

static struct reaping reapings[MAX_VICTIMS];
static pthread_t reapers[MAX_REAPERS];
static long reaper_count;
static int orders[2];

static void *reap_as_ordered(void *unused)
{
	struct sched_param priority = { .sched_priority = 45 };
	long number;

	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		die("sched_setscheduler");
	while (read(orders[0], &number, sizeof(number)) == sizeof(number)) {
		struct reaping *reaping = &reapings[number];
		int64_t start = now_ns();

		if (syscall(SYS_process_mrelease, crowd[number].pidfd, 0))
			reaping->error = errno;
		reaping->ns = now_ns() - start;
	}
	return unused;
}

void start_reapers(long number)
{
	pthread_attr_t small;

	if (number > MAX_REAPERS || pipe2(orders, O_CLOEXEC) || pthread_attr_init(&small) ||
	    pthread_attr_setstacksize(&small, STACK_BYTES))
		give_up("%ld reapers cannot be made", number);
	for (; reaper_count < number; reaper_count++)
		if (pthread_create(&reapers[reaper_count], &small, reap_as_ordered, NULL))
			give_up("%ld reapers cannot be made", number);
}

void order_reaping(long victim)
{
	reapings[victim].ordered = true;
	if (write(orders[1], &victim, sizeof(victim)) != sizeof(victim))
		die("the pipe to the reapers");
}

void finish_reaping(const char *metric)
{
	long reaped = 0, gone = 0, refused = 0;

	close(orders[1]);
	for (long i = 0; i < reaper_count; i++)
		if (pthread_join(reapers[i], NULL))
			give_up("a reaper is lost");
	for (long i = 0; i < MAX_VICTIMS; i++) {
		if (!reapings[i].ordered)
			continue;
		reaped += !reapings[i].error;
		gone += reapings[i].error == ESRCH;
		refused += reapings[i].error && reapings[i].error != ESRCH;
		if (metric)
			sample(metric, reapings[i].ns, crowd[i].label);
	}
	meta("reaped", "%ld", reaped);
	meta("reaping_gone", "%ld", gone);
	meta("reaping_refused", "%ld", refused);
}
