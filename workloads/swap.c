// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cpu.h"
#include "harness.h"
#include "pages.h"
#include "swap.h"

static char swap_device[64];
static int mm_stat_fd, vmstat_fd;

static int open_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

void open_swap(void)
{
	char text[1024], name[32], path[64];
	int swaps = open_text("/proc/swaps");
	char *area;

	read_text(swaps, text, sizeof(text), "/proc/swaps");
	close(swaps);
	area = strchr(text, '\n');
	if (!area || sscanf(area, " /dev/%31s", name) != 1)
		give_up("no swap area is in use");
	if (strchr(area + 1, '\n') != strrchr(area, '\n'))
		give_up("more than one swap area is in use");
	snprintf(swap_device, sizeof(swap_device), "/dev/%s", name);

	snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", name);
	mm_stat_fd = open_text(path);
	vmstat_fd = open_text("/proc/vmstat");
}

/* the same two numbers as SwapTotal and SwapFree, without the rest of meminfo */
long read_swap_pages(void)
{
	struct sysinfo system;

	if (sysinfo(&system))
		die("sysinfo");
	return (system.totalswap - system.freeswap) * system.mem_unit / page_size;
}

void read_zram(struct usage *usage)
{
	static char text[1024];

	read_text(mm_stat_fd, text, sizeof(text), "mm_stat");
	if (sscanf(text, "%ld %ld %ld", &usage->zram_orig_bytes, &usage->zram_compr_bytes,
		   &usage->zram_memory_bytes) != 3)
		give_up("cannot read mm_stat: %s", text);
}

struct usage read_usage(void)
{
	struct usage usage = { .swap_pages = read_swap_pages() };

	read_zram(&usage);
	return usage;
}

bool is_within(const struct usage *usage, const struct usage *limit)
{
	return usage->swap_pages <= limit->swap_pages &&
	       usage->zram_orig_bytes <= limit->zram_orig_bytes &&
	       usage->zram_compr_bytes <= limit->zram_compr_bytes &&
	       usage->zram_memory_bytes <= limit->zram_memory_bytes;
}

void read_vmstat(struct vmstat *vmstat)
{
	read_text(vmstat_fd, vmstat->text, sizeof(vmstat->text), "/proc/vmstat");
}

static bool read_counter(const struct vmstat *vmstat, const char *name, long *value)
{
	size_t length = strlen(name);

	for (const char *row = vmstat->text; row && *row; row = strchr(row, '\n')) {
		row += *row == '\n';
		if (!strncmp(row, name, length) && row[length] == ' ')
			return sscanf(row + length, " %ld", value) == 1;
	}
	return false;
}

long vmstat_moved(const struct vmstat *before, const struct vmstat *after, const char *name)
{
	long old_value, new_value;

	if (!read_counter(before, name, &old_value) || !read_counter(after, name, &new_value))
		return -1;
	return new_value - old_value;
}

void tell_vmstat(const struct vmstat *before, const struct vmstat *after)
{
	const char *old = before->text, *new = after->text;
	char old_name[64], new_name[64];
	long old_value, new_value;
	int old_length, new_length;

	while (sscanf(old, "%63s %ld\n%n", old_name, &old_value, &old_length) == 2 &&
	       sscanf(new, "%63s %ld\n%n", new_name, &new_value, &new_length) == 2) {
		char key[80];

		if (strcmp(old_name, new_name))
			give_up("/proc/vmstat changed from %s to %s", old_name, new_name);
		snprintf(key, sizeof(key), "vmstat.%s", new_name);
		if (old_value != new_value)
			meta(key, "%ld", new_value - old_value);
		old += old_length;
		new += new_length;
	}
}

struct swapoff start_swapoff(int64_t delay_ns)
{
	struct swapoff attempt = {
		.result = mmap(NULL, sizeof(*attempt.result), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	};

	if (attempt.result == MAP_FAILED)
		die("mmap of the swapoff result");
	attempt.pid = fork();
	if (attempt.pid < 0)
		die("fork");
	if (!attempt.pid) {
		if (delay_ns)
			sleep_ns(delay_ns);
		attempt.result->cpu_ns = -own_cpu_ns();
		attempt.result->begin = now_ns();
		attempt.result->error = swapoff(swap_device) ? errno : 0;
		attempt.result->cpu_ns += own_cpu_ns();
		attempt.result->end = now_ns();
		_exit(EXIT_SUCCESS);
	}
	attempt.pidfd = pidfd_open(attempt.pid, 0);
	if (attempt.pidfd < 0)
		die("pidfd_open");
	return attempt;
}

bool finish_swapoff(const struct swapoff *attempt, long deadline_ms)
{
	const struct swapoff_result *result = attempt->result;
	struct pollfd child = { .fd = attempt->pidfd, .events = POLLIN };

	if (poll(&child, 1, deadline_ms) == 1) {
		if (!result->end)
			give_up("the swapoff child died");
		if (!result->error) {
			sample("swapoff_ns", result->end - result->begin, NULL);
			sample("swapoff_cpu_ns", result->cpu_ns, NULL);
			meta("swapoff", "done");
			return true;
		}
		sample("swapoff_cpu_ns", result->cpu_ns, NULL);
		meta("swapoff", "failed-%d", result->error);
	} else {
		sample("swapoff_cpu_ns", process_cpu_ns(attempt->pid), NULL);
		if (kill(attempt->pid, SIGKILL))
			die("kill");
		meta("swapoff", poll(&child, 1, 1000) == 1 ? "killed" : "stuck");
	}
	sample_never("swapoff_ns", NULL);
	return false;
}
