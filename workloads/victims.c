// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "victims.h"

#define PAGEOUT_TRIES	4
#define EXIT_DEADLINE_MS 60000

struct victim crowd[MAX_VICTIMS];

static void __attribute__((noreturn)) be_victim(long number, const struct recipe *recipe, int ready)
{
	struct layout layout = { 0 };
	size_t bytes = recipe->bytes;
	unsigned char *arena;
	int pagemap;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	/* the observer's files are none of ours, and would be closed on our way out */
	if (close_range(STDERR_FILENO + 1, ready - 1, 0) || close_range(ready + 1, ~0U, 0))
		die("close_range");
	if (recipe->at_first)
		recipe->at_first(number);
	arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		die("mmap of a victim");
	/* a kernel without huge pages does not know this advice, and need not */
	if (!recipe->large_folios && madvise(arena, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("MADV_NOHUGEPAGE");
	fill(arena, bytes, number);

	pagemap = open_pagemap(getpid());
	for (int i = 0; i < PAGEOUT_TRIES && layout.swapped_pages * page_size < (long)bytes; i++) {
		page_out(arena, bytes, recipe->extent_pages);
		layout = (struct layout){ 0 };
		add_layout(&layout, pagemap, arena, bytes);
	}
	close(pagemap);
	if (recipe->when_out)
		recipe->when_out(arena, bytes);

	if (write(ready, &arena, sizeof(arena)) != sizeof(arena))
		die("the pipe of a victim");
	for (;;)
		pause();
}

void start_victim(struct victim *victim, long number, const struct recipe *recipe)
{
	int ready[2];

	snprintf(victim->label, sizeof(victim->label), "victim-%ld", number);
	if (pipe2(ready, O_CLOEXEC))
		die("pipe2");
	victim->pid = fork();
	if (victim->pid < 0)
		die("fork");
	if (!victim->pid)
		be_victim(number, recipe, ready[1]);
	close(ready[1]);

	if (read(ready[0], &victim->arena, sizeof(victim->arena)) != sizeof(victim->arena))
		give_up("%s ended before it was ready", victim->label);
	close(ready[0]);
	victim->pidfd = pidfd_open(victim->pid, 0);
	if (victim->pidfd < 0)
		die("pidfd_open");
}

void become_observer(void)
{
	struct sched_param priority = { .sched_priority = 50 };

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	/* the children are ordinary processes */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority))
		die("sched_setscheduler");
}

void check_victims(long victims, size_t bytes, long min_swapped_permille, struct layout *layout)
{
	long pages = victims * (bytes / page_size);

	for (long i = 0; i < victims; i++) {
		struct pollfd dead = { .fd = crowd[i].pidfd, .events = POLLIN };
		int pagemap;

		if (poll(&dead, 1, 0))
			give_up("%s ended before it was killed", crowd[i].label);
		pagemap = open_pagemap(crowd[i].pid);
		add_layout(layout, pagemap, crowd[i].arena, bytes);
		/* left open it would keep the victim's mm_struct */
		close(pagemap);
	}
	if (layout->swapped_pages * 1000 < pages * min_swapped_permille)
		give_up("%ld of %ld pages are in swap: %ld permille, at least %ld are asked for",
			layout->swapped_pages, pages, layout->swapped_pages * 1000 / pages,
			min_swapped_permille);
}

static void reap(const struct victim *victim)
{
	siginfo_t end;

	if (waitid(P_PIDFD, victim->pidfd, &end, WEXITED))
		die("waitid");
	if (end.si_code != CLD_KILLED || end.si_status != SIGKILL)
		give_up("%s was not killed: code %d, status %d", victim->label, end.si_code,
			end.si_status);
}

int64_t kill_victims(long victims, void (*killed)(long number))
{
	static struct pollfd alive[MAX_VICTIMS];
	long left = victims;

	for (long i = 0; i < victims; i++)
		alive[i] = (struct pollfd){ .fd = crowd[i].pidfd, .events = POLLIN };
	for (long i = 0; i < victims; i++) {
		crowd[i].killed_at = now_ns();
		if (pidfd_send_signal(crowd[i].pidfd, SIGKILL, NULL, 0))
			die("pidfd_send_signal");
		if (killed)
			killed(i);
	}

	while (left) {
		int ready = poll(alive, victims, EXIT_DEADLINE_MS);
		int64_t now = now_ns();

		if (ready < 0)
			die("poll");
		if (!ready)
			give_up("%ld victims did not exit in %d ms", left, EXIT_DEADLINE_MS);
		for (long i = 0; i < victims; i++) {
			if (alive[i].fd < 0 || !alive[i].revents)
				continue;
			crowd[i].exited_at = now;
			alive[i].fd = -1;
			reap(&crowd[i]);
			left--;
		}
	}
	return now_ns();
}
