/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * foreground - the process that a person looks at, and the load of all others.
 *
 * Threads of ordinary priority, save for the one that draws: one that draws a frame
 * every frame_ns, one that only wakes up and sees how late it is, one that allocates
 * and touches the preview if there is one, and a load thread for each CPU if there is load.
 */
#ifndef FOREGROUND_H
#define FOREGROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scene {
	int64_t watch_ns;	/* from the start to the end of all */
	int64_t frame_ns;	/* a frame that is not drawn by then is late */
	int64_t frame_cpu_ns;	/* what it takes to draw one */
	int64_t preview_at_ns;	/* after the start */
	size_t preview_bytes;	/* 0: no preview */
	long load_pct;		/* of each CPU's time; 0: no load */
};

/* Return when the process is there and the load at work. */
void start_foreground(const struct scene *scene);

/* Let the frames begin; return when that was. */
int64_t open_scene(void);

/* The CPU time of all its threads so far; 0 if it was not started. */
int64_t foreground_cpu_ns(void);

/*
 * Wait for its end; an error if it failed. Sample what is_of_foreground(); record what the
 * thread that only wakes up cost as meta wakeups_cpu_ns.
 */
void tell_foreground(void);
/* Whether tell_foreground() samples a metric, if there is a preview or without one. */
bool is_of_foreground(const char *metric);

#endif
