// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "cpu.h"
#include "harness.h"

#define IDLE_SLEEPS	15

static int schedstat_fd;
static DIR *proc;
static int64_t idle_sleep_ns;
static _Thread_local int64_t slept_at_ns, others_ns;

/* Return what a sleep is charged for where nobody else wants the CPU: the median of some. */
static int64_t cost_of_sleep(void)
{
	int64_t costs_ns[IDLE_SLEEPS];

	for (int i = 0; i < IDLE_SLEEPS; i++) {
		costs_ns[i] = -own_cpu_ns();
		sleep_ns(MS);
		costs_ns[i] += own_cpu_ns();
	}
	qsort(costs_ns, IDLE_SLEEPS, sizeof(*costs_ns), by_size);
	return costs_ns[IDLE_SLEEPS / 2];
}

void open_cpus(void)
{
	schedstat_fd = open("/proc/schedstat", O_RDONLY | O_CLOEXEC);
	if (schedstat_fd < 0)
		die("/proc/schedstat");
	proc = opendir("/proc");
	if (!proc)
		die("/proc");
	idle_sleep_ns = cost_of_sleep();
}

int read_cpus(int64_t cpu_ns[MAX_CPUS])
{
	/* several threads ask */
	static _Thread_local char text[16 * 1024];
	int cpus = 0;

	read_text(schedstat_fd, text, sizeof(text), "/proc/schedstat");
	for (char *row = text; row; row = strchr(row, '\n')) {
		long long spent_ns;

		row += *row == '\n';
		if (sscanf(row, "cpu%*u %*u %*u %*u %*u %*u %*u %lld", &spent_ns) != 1)
			continue;
		if (cpus == MAX_CPUS)
			give_up("/proc/schedstat names more than %d CPUs", MAX_CPUS);
		cpu_ns[cpus++] = spent_ns;
	}
	if (!cpus)
		give_up("/proc/schedstat names no CPU");
	return cpus;
}

static int64_t timespec_ns(struct timespec spent)
{
	return spent.tv_sec * 1000000000LL + spent.tv_nsec;
}

static int64_t spent_ns(clockid_t clock)
{
	struct timespec spent;

	if (clock_gettime(clock, &spent))
		die("clock_gettime");
	return timespec_ns(spent);
}

int64_t own_cpu_ns(void)
{
	return spent_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t process_cpu_ns(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock))
		give_up("the CPU time of process %d cannot be read", pid);
	return spent_ns(clock);
}

static int64_t timeval_ns(struct timeval spent)
{
	return spent.tv_sec * 1000000000LL + spent.tv_usec * 1000LL;
}

/* Of children that were waited for: nobody has their clocks any more. */
static int64_t ended_cpu_ns(void)
{
	struct rusage children;

	if (getrusage(RUSAGE_CHILDREN, &children))
		die("getrusage");
	return timeval_ns(children.ru_utime) + timeval_ns(children.ru_stime);
}

int64_t read_cpu_ns(void)
{
	int64_t sum = ended_cpu_ns();
	struct dirent *entry;

	rewinddir(proc);
	while ((entry = readdir(proc))) {
		pid_t pid = atoi(entry->d_name);
		struct timespec spent;
		clockid_t clock;

		/* a kernel thread may end before it is asked: what it took since is lost */
		if (pid > 0 && !clock_getcpuclockid(pid, &clock) && !clock_gettime(clock, &spent))
			sum += timespec_ns(spent);
	}
	return sum;
}

void begin_sleep(void)
{
	slept_at_ns = own_cpu_ns();
}

void end_sleep(void)
{
	int64_t charged_ns = own_cpu_ns() - slept_at_ns;

	if (charged_ns > idle_sleep_ns)
		others_ns += charged_ns - idle_sleep_ns;
}

int64_t sleep_until(int64_t when)
{
	struct timespec until = { .tv_sec = when / 1000000000, .tv_nsec = when % 1000000000 };

	begin_sleep();
	if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		give_up("the sleep of somebody who looks was interrupted");
	when = now_ns() - when;
	end_sleep();
	return when;
}

int64_t others_cpu_ns(void)
{
	return others_ns;
}

int64_t looking_cpu_ns(void)
{
	return own_cpu_ns() - others_ns;
}
