// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "folios.h"
#include "harness.h"
#include "left.h"

#define HUGE_64K	"/sys/kernel/mm/transparent_hugepage/hugepages-64kB/"

void prepare_large_folios(void)
{
	if (!can_write_text(HUGE_64K "enabled", "always"))
		cannot_test("the kernel has no folios of 64 KiB");
}

long large_folios_swapped(void)
{
	char text[32];
	int fd = open(HUGE_64K "stats/swpout", O_RDONLY | O_CLOEXEC);
	long folios;

	if (fd < 0)
		cannot_test("the kernel does not count large folios that are swapped out");
	read_text(fd, text, sizeof(text), HUGE_64K "stats/swpout");
	close(fd);
	folios = atol(text);
	if (!folios)
		cannot_test("the kernel split every large folio before it went to swap");
	return folios;
}
