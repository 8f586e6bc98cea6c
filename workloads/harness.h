/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * harness - what every workload shares: its contract, its clock, its words.
 *
 * A workload is one C file that defines `workload`. The harness reads the
 * command line (name=value ...), calls iterate() once and then writes what was
 * recorded to stdout, in the guest protocol and in one go: nothing is printed
 * while a clock runs.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US		1000LL
#define MS		1000000LL

/* Every table ends with an entry without a name. */
struct metric {
	const char *name;	/* ends in its unit: exit_ns */
	const char *unit;
	const char *better;	/* "lower" or "higher" */
};

struct parameter {
	const char *name;
	long standard;
	long *value;
	long minimum;
	long maximum;
	const char *help;
};

struct workload {
	const struct metric *metrics;
	const struct parameter *parameters;
	void (*iterate)(void);
	/* whether there is such a metric with these parameters; NULL: there are all */
	bool (*measures)(const char *metric);
};

extern const struct workload workload;

/* Record a line of the protocol; a label of NULL is none. */
void meta(const char *key, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void sample(const char *metric, int64_t number, const char *label);
void sample_never(const char *metric, const char *label);

/* End the boot without a result: with errno's reason, or with one's own. */
void die(const char *what) __attribute__((noreturn));
void give_up(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/*
 * What a profile tells lies between these marks: instructions that do nothing on
 * any CPU, so the same program is profiled and timed. See qemu/plugins/profile.
 */
#ifdef __aarch64__
#define PROFILE_MARK(number) __asm__ volatile("hint #" number ::: "memory")
#else
#define PROFILE_MARK(number) do { } while (0)	/* on a host, where nobody profiles */
#endif

static inline void profile_begin(void)
{
	PROFILE_MARK("112");
}

static inline void profile_end(void)
{
	PROFILE_MARK("113");
}

/* End the boot and say what this kernel lacks: not a failure, and never a pass. */
void cannot_test(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

int64_t now_ns(void);
void sleep_ns(int64_t ns);

/* For qsort() of int64_t. */
int by_size(const void *a, const void *b);
void read_text(int fd, char *text, size_t size, const char *path);

#endif
