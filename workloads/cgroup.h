/* SPDX-License-Identifier: GPL-2.0-only */
/* cgroup - memory control groups of a guest that has mounted none yet. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>

/* Mount the unified hierarchy with its memory controller, or say that it cannot be tested. */
void mount_cgroups(void);

/* Groups have numbers; -1 is the root. */
void make_cgroup(long number);
void join_cgroup(long number);
/* False while the group is busy. */
bool remove_cgroup(long number);
void write_cgroup(long number, const char *file, const char *text);
/* A file with one number; with a key, the number after it; -1 where there is no such key. */
long read_cgroup(long number, const char *file, const char *key);

#endif
