// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"
#include "harness.h"
#include "victims.h"

#define PAGEOUT_TRIES	4
#define EXIT_DEADLINE_MS 60000

struct victim crowd[MAX_VICTIMS];

static void page_out_self(unsigned char *arena, size_t bytes, long extent_pages)
{
	struct layout layout = { 0 };
	int pagemap = open_pagemap(getpid());

	for (int i = 0; i < PAGEOUT_TRIES && layout.swapped_pages * page_size < (long)bytes; i++) {
		page_out(arena, bytes, extent_pages);
		layout = (struct layout){ 0 };
		add_layout(&layout, pagemap, arena, bytes);
	}
	close(pagemap);
}

static void __attribute__((noreturn)) wait_for_end(const sigset_t *told)
{
	int signal;

	if (told && !sigwait(told, &signal))
		_exit(EXIT_SUCCESS);
	for (;;)
		pause();
}

static void __attribute__((noreturn)) be_victim(long number, const struct recipe *recipe, int ready)
{
	size_t bytes = recipe->bytes;
	unsigned char *arena;
	sigset_t told;

	sigemptyset(&told);
	sigaddset(&told, SIGUSR1);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	if (recipe->exits_when_told && sigprocmask(SIG_BLOCK, &told, NULL))
		die("sigprocmask");
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
	if (recipe->content == MIXED)
		fill(arena, bytes, number);
	else
		fill_alike(arena, bytes, recipe->content);
	if (!recipe->in_turns)
		page_out_self(arena, bytes - recipe->present_bytes, recipe->extent_pages);
	if (recipe->when_out)
		recipe->when_out(arena, bytes);

	if (write(ready, &arena, sizeof(arena)) != sizeof(arena))
		die("the pipe of a victim");
	wait_for_end(recipe->exits_when_told ? &told : NULL);
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

static void add_crowd(long victims, size_t bytes, struct layout *layout)
{
	for (long i = 0; i < victims; i++) {
		int pagemap = open_pagemap(crowd[i].pid);

		add_layout(layout, pagemap, crowd[i].arena, bytes);
		/* left open it would keep the victim's mm_struct */
		close(pagemap);
	}
}

void page_out_crowd(long victims, const struct recipe *recipe)
{
	size_t bytes = recipe->bytes - recipe->present_bytes;
	struct remote remotes[MAX_VICTIMS];
	struct layout layout = { 0 };

	for (long i = 0; i < victims; i++)
		remotes[i] = (struct remote){ crowd[i].pidfd, crowd[i].arena };
	for (int i = 0; i < PAGEOUT_TRIES &&
	     layout.swapped_pages * page_size < victims * (long)bytes; i++) {
		page_out_in_turns(remotes, victims, bytes, recipe->extent_pages);
		layout = (struct layout){ 0 };
		add_crowd(victims, bytes, &layout);
	}
}

void check_victims(long victims, const struct recipe *recipe, long min_swapped_permille,
		   struct layout *layout)
{
	long pages = victims * (recipe->bytes / page_size);
	long wanted = pages - victims * (recipe->present_bytes / page_size);

	for (long i = 0; i < victims; i++) {
		struct pollfd dead = { .fd = crowd[i].pidfd, .events = POLLIN };

		if (poll(&dead, 1, 0))
			give_up("%s ended before it was killed", crowd[i].label);
	}
	add_crowd(victims, recipe->bytes, layout);
	if (labs(wanted - layout->swapped_pages) * 1000 > pages * (1000 - min_swapped_permille))
		give_up("%ld of %ld pages are in swap, %ld are wanted: off by more than %ld permille",
			layout->swapped_pages, pages, wanted, 1000 - min_swapped_permille);
}

static void reap(const struct victim *victim, bool by_exit)
{
	siginfo_t end;

	if (waitid(P_PIDFD, victim->pidfd, &end, WEXITED))
		die("waitid");
	if (by_exit ? end.si_code != CLD_EXITED || end.si_status :
	    end.si_code != CLD_KILLED || end.si_status != SIGKILL)
		give_up("%s did not end as it should: code %d, status %d", victim->label,
			end.si_code, end.si_status);
}

static void signal_victim(long number)
{
	if (pidfd_send_signal(crowd[number].pidfd, SIGKILL, NULL, 0))
		die("pidfd_send_signal");
}

/* Return whether there was an end within the time, and note when. */
static long reap_those_who_ended(struct pollfd *alive, const long *order, long begun,
				 int64_t most_ns, bool by_exit)
{
	struct timespec most = { most_ns / 1000000000, most_ns % 1000000000 };
	int64_t now;
	int ready;

	begin_sleep();
	ready = ppoll(alive, begun, &most, NULL);
	now = now_ns();
	end_sleep();

	if (ready < 0)
		die("ppoll");
	for (long i = 0; ready && i < begun; i++) {
		struct victim *victim = &crowd[order ? order[i] : i];

		if (alive[i].fd < 0 || !alive[i].revents)
			continue;
		victim->exited_at = now;
		alive[i].fd = -1;
		reap(victim, by_exit);
	}
	return ready;
}

static void strike(long number, const struct death *death)
{
	struct victim *victim = &crowd[number];

	victim->killed_at = now_ns();
	(death->strike ? death->strike : signal_victim)(number);
	victim->kill_ns = now_ns() - victim->killed_at;
	if (death->struck)
		death->struck(number);
}

int64_t end_victims(long victims, const struct death *death)
{
	static struct pollfd alive[MAX_VICTIMS];
	int64_t due = now_ns();
	long begun = 0, ended = 0;

	for (long i = 0; i < victims; i++)
		alive[i] = (struct pollfd){
			.fd = crowd[death->order ? death->order[i] : i].pidfd, .events = POLLIN,
		};
	while (ended < victims) {
		int64_t most_ns = EXIT_DEADLINE_MS * MS, ready;

		if (begun < victims) {
			most_ns = due - now_ns();
			if (most_ns <= 0) {
				strike(death->order ? death->order[begun] : begun, death);
				begun++;
				due += death->stagger_ns;
				continue;
			}
		}
		ready = reap_those_who_ended(alive, death->order, begun, most_ns, death->by_exit);
		if (!ready && begun == victims)
			give_up("%ld victims did not exit in %d ms", victims - ended,
				EXIT_DEADLINE_MS);
		ended += ready;
	}
	return now_ns();
}

int64_t kill_victims(long victims, void (*killed)(long number))
{
	return end_victims(victims, &(struct death){ .struck = killed });
}
