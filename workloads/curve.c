// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "cpu.h"
#include "curve.h"
#include "harness.h"

#define STACK_BYTES	(256 << 10)
#define IDLE_TRIES	10
#define IDLE_LOOKS	20
#define WINDOW_LOOKS	2	/* a window of CPU time is so many looks */
#define MAX_WINDOWS	(MAX_CURVE_POINTS / WINDOW_LOOKS)

struct point {
	int64_t late_ns;
	long free_kib;
};

static struct point points[MAX_CURVE_POINTS];
static int64_t charged_ns[MAX_WINDOWS + 1][MAX_CPUS];
static long points_wanted, windows;
static int cpus;
static pthread_t looker;
static pthread_barrier_t go;
static int64_t started_at, idle_latest_ns;
static _Atomic int64_t looked_ns;	/* the observer reads it while the thread goes on */

static void look_at(long number)
{
	struct sysinfo now;

	points[number].late_ns = sleep_until(started_at + number * CURVE_INTERVAL_NS);
	if (sysinfo(&now))
		die("sysinfo");
	points[number].free_kib = (long)((uint64_t)now.freeram * now.mem_unit / 1024);
	if (number % WINDOW_LOOKS == 0)
		cpus = read_cpus(charged_ns[windows++]);
}

static int64_t idle_lateness_ns(void)
{
	int64_t start = now_ns(), latest_ns = 0;

	for (int i = 1; i <= IDLE_LOOKS; i++) {
		int64_t late_ns = sleep_until(start + (int64_t)i * CURVE_INTERVAL_NS);

		if (late_ns > latest_ns)
			latest_ns = late_ns;
	}
	return latest_ns;
}

/* So late, a look is of another point's time. A host that is busy for a moment is waited for. */
static void look_when_idle(void)
{
	for (int i = 0; i < IDLE_TRIES; i++) {
		idle_latest_ns = idle_lateness_ns();
		if (idle_latest_ns < CURVE_INTERVAL_NS)
			return;
	}
	give_up("with nothing else to do, a look was %lld ns late", (long long)idle_latest_ns);
}

static void *look(void *unused)
{
	/* Above the observer: a look is short, and late it is of another time. */
	struct sched_param priority = { .sched_priority = 60 };
	int64_t idle_ns;

	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		die("sched_setscheduler");
	look_when_idle();
	pthread_barrier_wait(&go);
	idle_ns = looking_cpu_ns();
	for (long i = 0; i < points_wanted; i++) {
		look_at(i);
		looked_ns = looking_cpu_ns() - idle_ns;
	}
	return unused;
}

void prepare_curve(long number)
{
	pthread_attr_t small;

	if (number > MAX_CURVE_POINTS)
		give_up("a curve of %ld points is too long, %d is the most", number,
			MAX_CURVE_POINTS);
	points_wanted = number;
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

int64_t curve_cpu_ns(void)
{
	return looked_ns;
}

/*
 * A task is charged when it leaves its CPU, so a window may have more than it lasted: the
 * rest is of the windows before, in which the task was there already.
 */
static int64_t busiest_window_ns(void)
{
	const int64_t most_ns = WINDOW_LOOKS * CURVE_INTERVAL_NS;
	int64_t rest_ns[MAX_CPUS] = { 0 }, busiest_ns = 0;

	for (long window = windows - 2; window >= 0; window--) {
		int64_t busy_ns = 0;

		for (int cpu = 0; cpu < cpus; cpu++) {
			int64_t here_ns;

			rest_ns[cpu] += charged_ns[window + 1][cpu] - charged_ns[window][cpu];
			here_ns = rest_ns[cpu] < most_ns ? rest_ns[cpu] : most_ns;
			rest_ns[cpu] -= here_ns;
			busy_ns += here_ns;
		}
		if (busy_ns > busiest_ns)
			busiest_ns = busy_ns;
	}
	return busiest_ns;
}

void tell_curve(void)
{
	int64_t latest_ns = 0;

	if (pthread_join(looker, NULL))
		give_up("the thread that looks at the free memory is lost");
	for (long i = 0; i < points_wanted; i++) {
		char label[24];

		snprintf(label, sizeof(label), "%ld", i * CURVE_INTERVAL_NS);
		sample("free_kib", points[i].free_kib, label);
		if (points[i].late_ns > latest_ns)
			latest_ns = points[i].late_ns;
	}
	sample("cpu_peak_permille",
	       busiest_window_ns() * 1000 / (cpus * WINDOW_LOOKS * CURVE_INTERVAL_NS), NULL);
	meta("curve_latest_ns", "%lld", (long long)latest_ns);
	meta("curve_idle_latest_ns", "%lld", (long long)idle_latest_ns);
}
