// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "harness.h"
#include "left.h"

#define ROOT "/sys/fs/cgroup"

static void set_path(char *path, size_t size, long number, const char *file)
{
	if (number < 0)
		snprintf(path, size, ROOT "/%s", file);
	else
		snprintf(path, size, ROOT "/victim-%ld/%s", number, file);
}

void mount_cgroups(void)
{
	if (mount("cgroup2", ROOT, "cgroup2", 0, NULL))
		cannot_test("the kernel has no control groups");
	if (!can_write_text(ROOT "/cgroup.subtree_control", "+memory"))
		cannot_test("the kernel has no memory controller");
}

void make_cgroup(long number)
{
	char path[96];

	set_path(path, sizeof(path), number, "");
	if (mkdir(path, 0755))
		die(path);
}

void join_cgroup(long number)
{
	write_cgroup(number, "cgroup.procs", "0");
}

bool remove_cgroup(long number)
{
	char path[96];

	set_path(path, sizeof(path), number, "");
	if (!rmdir(path))
		return true;
	if (errno != EBUSY)
		die(path);
	return false;
}

void write_cgroup(long number, const char *file, const char *text)
{
	char path[96];

	set_path(path, sizeof(path), number, file);
	write_text(path, text);
}

long read_cgroup(long number, const char *file, const char *key)
{
	static char text[16 * 1024];
	size_t length = key ? strlen(key) : 0;
	char path[96];
	int fd;

	set_path(path, sizeof(path), number, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	read_text(fd, text, sizeof(text), path);
	close(fd);
	if (!key)
		return atol(text);
	for (char *row = text; row; row = strchr(row, '\n')) {
		row += *row == '\n';
		if (!strncmp(row, key, length) && row[length] == ' ')
			return atol(row + length);
	}
	return -1;
}
