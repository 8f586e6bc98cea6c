// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "harness.h"
#include "left.h"

static struct usage idle;
static struct vmstat vmstat_idle;

bool can_write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written;

	if (fd < 0)
		return false;
	written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return written;
}

void write_text(const char *path, const char *text)
{
	if (!can_write_text(path, text))
		die(path);
}

bool mount_debugfs(void)
{
	return !mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL) || errno == EBUSY;
}

void remember_idle(void)
{
	idle = read_usage();
	read_vmstat(&vmstat_idle);
}

static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	read_text(fd, text, size, path);
	close(fd);
	return true;
}

/*
 * Series v0 counts its records: as it was posted, "exiting_tasks:N cache_counts:N" in one line;
 * ours of it puts "cache_counts N" on a line of its own.
 */
static long counted_records(const char *text)
{
	static const char name[] = "cache_counts";
	const char *count = strstr(text, name);
	long records;

	if (!count || sscanf(count + strlen(name), "%*[: ]%ld", &records) != 1)
		give_up("cannot read /proc/aswap_free_counts: %s", text);
	return records;
}

/* It keeps them in a slab of their own. */
static void tell_records(void)
{
	static const char slab[] = "/sys/kernel/slab/swap_gather_record";
	char text[1024], path[96];
	long parked = 0, objects;

	if (read_file("/proc/aswap_free_counts", text, sizeof(text))) {
		parked = counted_records(text);
		meta("parked_records", "%ld", parked);
	}
	/* free objects that a CPU keeps for itself count as used until it gives them back */
	snprintf(path, sizeof(path), "%s/shrink", slab);
	if (!can_write_text(path, "1"))
		return;
	snprintf(path, sizeof(path), "%s/objects", slab);
	if (!read_file(path, text, sizeof(text)) || sscanf(text, "%ld", &objects) != 1)
		give_up("cannot read %s", path);
	meta("leaked_records", "%ld", objects - parked);
}

/*
 * A debug kernel finds what nobody points to any more, if it is asked twice and the
 * object is older than five seconds. What it found goes to the console.
 */
static void tell_leaks(void)
{
	static const char path[] = "/sys/kernel/debug/kmemleak";
	static char text[256 * 1024];
	long leaks = 0;

	if (mount_debugfs() && can_write_text(path, "scan")) {
		sleep_ns(6000000000);
		write_text(path, "scan");
		if (!read_file(path, text, sizeof(text)))
			die(path);
		fputs(text, stderr);
		for (char *found = text; (found = strstr(found, "unreferenced object")); found++)
			leaks++;
		meta("leaks", "%ld", leaks);
	}
}

static long beyond(long now, long before)
{
	return now > before ? now - before : 0;
}

void tell_left(void)
{
	static struct vmstat vmstat;
	struct usage usage = read_usage();
	long gathered;

	read_vmstat(&vmstat);
	sample("left_pages", beyond(usage.swap_pages, idle.swap_pages), NULL);
	sample("left_bytes", beyond(usage.zram_compr_bytes, idle.zram_compr_bytes), NULL);
	/* an object that was lost in zsmalloc has left zram's count, and its page stays in use */
	sample("left_pool_bytes", beyond(usage.zram_memory_bytes, idle.zram_memory_bytes), NULL);
	gathered = vmstat_moved(&vmstat_idle, &vmstat, "async_swap_count");
	if (gathered >= 0)
		meta("gathered_records", "%ld", gathered);
	tell_records();
	tell_leaks();
	tell_vmstat(&vmstat_idle, &vmstat);
}

void tell_swapoff(long deadline_ms)
{
	struct swapoff attempt = start_swapoff(0);

	finish_swapoff(&attempt, deadline_ms);
}
