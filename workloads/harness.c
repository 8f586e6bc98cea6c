// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

static char record[256 * 1024];
static size_t recorded;

static void append(const char *format, va_list arguments)
{
	size_t room = sizeof(record) - recorded;
	int length = vsnprintf(record + recorded, room, format, arguments);

	if (length < 0 || (size_t)length >= room)
		give_up("the record is full");
	recorded += length;
}

static void line(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
}

void meta(const char *key, const char *format, ...)
{
	va_list arguments;

	line("meta %s ", key);
	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
	line("\n");
}

static void record_sample(const char *metric, const char *number, const char *label)
{
	const struct metric *known = workload.metrics;

	while (known->name && strcmp(known->name, metric))
		known++;
	if (!known->name)
		give_up("sample of an undeclared metric %s", metric);
	line("sample %s %s%s%s\n", metric, number, label ? " " : "", label ? label : "");
}

void sample(const char *metric, int64_t number, const char *label)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%lld", (long long)number);
	record_sample(metric, digits, label);
}

void sample_never(const char *metric, const char *label)
{
	record_sample(metric, "never", label);
}

void die(const char *what)
{
	give_up("%s: %s", what, strerror(errno));
}

void give_up(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static void write_record(void)
{
	size_t written = 0;

	while (written < recorded) {
		ssize_t got = write(STDOUT_FILENO, record + written, recorded - written);

		if (got < 0)
			die("stdout");
		written += got;
	}
}

void cannot_test(const char *format, ...)
{
	va_list arguments;

	line("meta untested ");
	va_start(arguments, format);
	append(format, arguments);
	va_end(arguments);
	line("\n");
	write_record();
	exit(EXIT_SUCCESS);
}

int64_t now_ns(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		die("clock_gettime");
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void sleep_ns(int64_t ns)
{
	struct timespec rest = { ns / 1000000000, ns % 1000000000 };

	while (nanosleep(&rest, &rest))
		if (errno != EINTR)
			die("nanosleep");
}

int by_size(const void *a, const void *b)
{
	int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

	return (one > other) - (one < other);
}

/* Read a small file of /proc or /sys from its start; a full buffer is an error. */
void read_text(int fd, char *text, size_t size, const char *path)
{
	size_t length = 0;

	for (;;) {
		ssize_t got = pread(fd, text + length, size - length, length);

		if (got < 0)
			die(path);
		if (!got)
			break;
		length += got;
		if (length == size)
			give_up("%s is longer than %zu bytes", path, size);
	}
	text[length] = '\0';
}

static void usage_error(const char *argument, const char *complaint)
{
	const struct parameter *known;

	fprintf(stderr, "%s: %s: %s; parameters are name=value:\n",
		program_invocation_short_name, argument, complaint);
	for (known = workload.parameters; known->name; known++)
		fprintf(stderr, "  %s=%ld  (%ld to %ld) %s\n", known->name, known->standard,
			known->minimum, known->maximum, known->help);
	exit(2);
}

static void set_parameter(const char *argument)
{
	size_t length = strcspn(argument, "=");
	const struct parameter *known = workload.parameters;
	const char *digits = argument + length + 1;
	long value;
	char *end;

	while (known->name && (strlen(known->name) != length ||
			       strncmp(known->name, argument, length)))
		known++;
	if (!known->name)
		usage_error(argument, "no such parameter");

	if (!argument[length] || !*digits)
		usage_error(argument, "no value");
	errno = 0;
	value = strtol(digits, &end, 10);
	if (*end || strspn(digits, "-0123456789") != strlen(digits))
		usage_error(argument, "not a number");
	if (errno || value < known->minimum || value > known->maximum)
		usage_error(argument, "out of range");
	*known->value = value;
}

int main(int argc, char **argv)
{
	const struct parameter *parameter;
	const struct metric *metric;

	for (parameter = workload.parameters; parameter->name; parameter++)
		*parameter->value = parameter->standard;
	for (int i = 1; i < argc; i++)
		set_parameter(argv[i]);

	for (parameter = workload.parameters; parameter->name; parameter++)
		line("meta parameter.%s %ld\n", parameter->name, *parameter->value);
	meta("page_size", "%ld", sysconf(_SC_PAGESIZE));
	for (metric = workload.metrics; metric->name; metric++)
		if (!workload.measures || workload.measures(metric->name))
			line("metric %s %s %s\n", metric->name, metric->unit, metric->better);

	workload.iterate();
	write_record();
	return EXIT_SUCCESS;
}
