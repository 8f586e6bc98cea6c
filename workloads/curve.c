// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "curve.h"
#include "harness.h"

#define STACK_BYTES	(256 << 10)

struct point {
	int64_t late_ns;
	long free_kib;
};

static struct point points[CURVE_POINTS];
static pthread_t looker;
static pthread_barrier_t go;
static int64_t started_at, cpu_ns;

static int64_t own_cpu_ns(void)
{
	struct timespec spent;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent))
		die("clock_gettime");
	return spent.tv_sec * 1000000000LL + spent.tv_nsec;
}

static void look_at(int64_t when, struct point *point)
{
	struct timespec until = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };
	struct sysinfo now;

	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		give_up("a look at the free memory was interrupted");
	if (sysinfo(&now))
		die("sysinfo");
	point->late_ns = now_ns() - when;
	point->free_kib = (long)((uint64_t)now.freeram * now.mem_unit / 1024);
}

static void *look(void *unused)
{
	/* Above the observer: a look is short, and late it is of another time. */
	struct sched_param priority = { .sched_priority = 60 };

	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		die("sched_setscheduler");
	pthread_barrier_wait(&go);
	cpu_ns = -own_cpu_ns();
	for (int i = 0; i < CURVE_POINTS; i++)
		look_at(started_at + (int64_t)i * CURVE_INTERVAL_NS, &points[i]);
	cpu_ns += own_cpu_ns();
	return unused;
}

void prepare_curve(void)
{
	pthread_attr_t small;

	/* the observer is locked in memory, and so is every stack it makes */
	if (pthread_attr_init(&small) || pthread_attr_setstacksize(&small, STACK_BYTES) ||
	    pthread_barrier_init(&go, NULL, 2) || pthread_create(&looker, &small, look, NULL))
		give_up("the thread that looks at the free memory cannot be made");
}

void start_curve(int64_t start)
{
	started_at = start;
	pthread_barrier_wait(&go);
}

void tell_curve(const char *metric)
{
	int64_t latest_ns = 0;

	if (pthread_join(looker, NULL))
		give_up("the thread that looks at the free memory is lost");
	for (int i = 0; i < CURVE_POINTS; i++) {
		char label[24];

		snprintf(label, sizeof(label), "%lld", (long long)i * CURVE_INTERVAL_NS);
		sample(metric, points[i].free_kib, label);
		if (points[i].late_ns > latest_ns)
			latest_ns = points[i].late_ns;
	}
	meta("curve_cpu_ns", "%lld", (long long)cpu_ns);
	meta("curve_latest_ns", "%lld", (long long)latest_ns);
}
