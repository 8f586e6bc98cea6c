// SPDX-License-Identifier: GPL-2.0-only
#include "books.h"
#include "cpu.h"
#include "curve.h"
#include "foreground.h"
#include "harness.h"

struct books read_books(void)
{
	/* the reading itself takes as long each time, and so is in no difference */
	struct books books = { .all_ns = read_cpu_ns() };

	books.observer_ns = looking_cpu_ns();
	books.curve_ns = curve_cpu_ns();
	books.foreground_ns = foreground_cpu_ns();
	books.at = now_ns();
	return books;
}

void tell_cpu(const struct books *before, const struct books *after, bool foreground_looks)
{
	int64_t observer_ns = after->observer_ns - before->observer_ns;
	int64_t curve_ns = after->curve_ns - before->curve_ns;
	int64_t foreground_ns = foreground_looks ? after->foreground_ns - before->foreground_ns : 0;

	sample("cpu_ns", after->all_ns - before->all_ns - observer_ns - curve_ns - foreground_ns,
	       NULL);
	meta("cpu_window_ns", "%lld", (long long)(after->at - before->at));
	meta("cpu_observer_ns", "%lld", (long long)observer_ns);
	meta("cpu_curve_ns", "%lld", (long long)curve_ns);
	if (foreground_looks)
		meta("cpu_foreground_ns", "%lld", (long long)foreground_ns);
}
