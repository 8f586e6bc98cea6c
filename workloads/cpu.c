// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cpu.h"
#include "harness.h"

static int schedstat_fd;

void open_cpus(void)
{
	schedstat_fd = open("/proc/schedstat", O_RDONLY | O_CLOEXEC);
	if (schedstat_fd < 0)
		die("/proc/schedstat");
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

int64_t read_cpu_ns(void)
{
	int64_t cpu_ns[MAX_CPUS], sum = 0;

	for (int cpu = read_cpus(cpu_ns); cpu; cpu--)
		sum += cpu_ns[cpu - 1];
	return sum;
}

static int64_t spent_ns(clockid_t clock)
{
	struct timespec spent;

	if (clock_gettime(clock, &spent))
		die("clock_gettime");
	return spent.tv_sec * 1000000000LL + spent.tv_nsec;
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
