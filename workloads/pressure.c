// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "pressure.h"
#include "swap.h"

#define PSI	"/proc/pressure/memory"
#define WINDOW_US	500000	/* the shortest that the kernel takes */

struct waited {
	long long some_us;
	long long full_us;
};

static struct vmstat vmstat_before, vmstat_after;
static struct waited waited_before;
static int trigger = -1;

static struct waited read_waited(void)
{
	struct waited waited;
	char text[512];
	const char *full;
	int fd = open(PSI, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(PSI);
	read_text(fd, text, sizeof(text), PSI);
	close(fd);
	full = strstr(text, "full ");
	if (!full || sscanf(text, "some %*s %*s %*s total=%lld", &waited.some_us) != 1 ||
	    sscanf(full, "full %*s %*s %*s total=%lld", &waited.full_us) != 1)
		give_up("cannot read " PSI ": %s", text);
	return waited;
}

/* Kernels that lack one of the counters have no such zone. */
static long moved(const char *const *names)
{
	long sum = 0;

	for (; *names; names++) {
		long counter = vmstat_moved(&vmstat_before, &vmstat_after, *names);

		sum += counter > 0 ? counter : 0;
	}
	return sum;
}

void remember_pressure(void)
{
	waited_before = read_waited();
	read_vmstat(&vmstat_before);
}

void tell_pressure(void)
{
	static const char *const stalls[] = {
		"allocstall_dma", "allocstall_dma32", "allocstall_normal", "allocstall_movable",
		NULL,
	};
	static const char *const scans[] = { "pgscan_kswapd", "pgscan_direct", NULL };
	struct waited waited = read_waited();

	read_vmstat(&vmstat_after);
	sample("alloc_stalls", moved(stalls), NULL);
	sample("pages_scanned", moved(scans), NULL);
	sample("psi_some_us", waited.some_us - waited_before.some_us, NULL);
	sample("psi_full_us", waited.full_us - waited_before.full_us, NULL);
	tell_vmstat(&vmstat_before, &vmstat_after);
}

void open_pressure_trigger(int64_t stalled_ns)
{
	char text[48];
	int length = snprintf(text, sizeof(text), "some %lld %d", (long long)(stalled_ns / US),
			      WINDOW_US);

	trigger = open(PSI, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (trigger < 0 || write(trigger, text, length + 1) != length + 1)
		die(PSI);
}

int64_t await_pressure(int64_t until)
{
	struct pollfd told = { .fd = trigger, .events = POLLPRI };
	int64_t left_ns = until - now_ns();

	if (poll(&told, 1, left_ns > 0 ? left_ns / MS : 0) != 1 || told.revents != POLLPRI)
		give_up("nobody waited for memory for long enough that the killer was told");
	return now_ns();
}
