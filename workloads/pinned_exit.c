// SPDX-License-Identifier: GPL-2.0-only
/*
 * pinned_exit - kill processes while somebody who gets no CPU reads of their memory.
 *
 * Each victim has a reader, of the lowest class there is, that reads its smaps again and
 * again. Shortly before the kill a load of ordinary priority takes every CPU, so readers
 * stop wherever they are, and those that hold their victim's mm go on holding it: the
 * victim exits, and its memory stays until its reader gets a CPU, or somebody reaps it.
 * drain_ns ends when the memory is back; readers_cpu_ns is what the readers worked from
 * the kill on, the victims' memory in it where they are the ones who free it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
#include "reapers.h"
#include "swap.h"
#include "victims.h"

#define SETTLE_NS	(200 * MS)
#define TAKE_OVER_NS	(20 * MS)	/* for the load to have every CPU */
#define SIGNAL_REAP	(1UL << 3)	/* of pidfd_send_signal(), where a series has it */

enum reap { BY_NOBODY, BY_MRELEASE, BY_FLAG };

/* What the children tell, and are told. */
static struct told {
	struct reader {
		_Atomic int inside;	/* a call that reads */
		_Atomic long refused;	/* with ESRCH */
	} readers[MAX_VICTIMS];
	_Atomic int loaded;
} *told;

static long victims, mib, seed, random_bytes, reap, reap_after_ms, load_ms;
static long drain_deadline_ms, swapoff_deadline_ms, min_swapped_permille;
static pid_t readers[MAX_VICTIMS], loads[MAX_CPUS];
static bool lacks_flag;

static pid_t start_child(void (*be)(long number), long number)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		struct sched_param none = { 0 };

		/* forked of the observer, which is SCHED_FIFO */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) || sched_setscheduler(0, SCHED_OTHER, &none))
			die("prctl");
		be(number);
		_exit(EXIT_SUCCESS);
	}
	return pid;
}

/* Return how many bytes the victim's smaps has, 0 when there is no victim any more. */
static long read_smaps(const char *path, struct reader *reader)
{
	static char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;
	long sum = 0;

	if (fd < 0)
		return 0;
	do {
		reader->inside = 1;
		got = read(fd, text, sizeof(text));
		reader->inside = 0;
		sum += got > 0 ? got : 0;
	} while (got > 0);
	reader->refused += got < 0 && errno == ESRCH;
	close(fd);
	return sum;
}

static void be_reader(long number)
{
	struct sched_param none = { 0 };
	char path[32];

	if (sched_setscheduler(0, SCHED_IDLE, &none))
		die("SCHED_IDLE");
	snprintf(path, sizeof(path), "/proc/%d/smaps", crowd[number].pid);
	while (read_smaps(path, &told->readers[number]))
		;
}

static void be_load(long unused)
{
	(void)unused;
	while (told->loaded)
		for (volatile int i = 0; i < 1000; i++)
			;
}

static int64_t cpu_of(const pid_t *pids, long number)
{
	int64_t sum_ns = 0;

	for (long i = 0; i < number; i++)
		sum_ns += process_cpu_ns(pids[i]);
	return sum_ns;
}

/* All tasks', but for the load's and what looking took. */
static int64_t cpu_of_all(long cpus)
{
	return read_cpu_ns() - looking_cpu_ns() - cpu_of(loads, cpus);
}

static void strike(long number)
{
	if (reap == BY_FLAG && !lacks_flag) {
		if (!pidfd_send_signal(crowd[number].pidfd, SIGKILL, NULL, SIGNAL_REAP))
			return;
		if (errno != EINVAL)
			die("pidfd_send_signal");
		lacks_flag = true;
	}
	if (pidfd_send_signal(crowd[number].pidfd, SIGKILL, NULL, 0))
		die("pidfd_send_signal");
}

/*
 * A killer that has no flag for it calls process_mrelease. Nobody waits for the dead before
 * that, as nobody can be reaped who was waited for.
 */
static void struck(long number)
{
	if (number != victims - 1 || reap == BY_NOBODY || (reap == BY_FLAG && !lacks_flag))
		return;
	if (reap_after_ms)
		sleep_until(now_ns() + reap_after_ms * MS);
	for (long i = 0; i < victims; i++)
		order_reaping(i);
	begin_sleep();
	finish_reaping(NULL);
	end_sleep();
}

/* Return when all is back, 0 if it is not in time. The load ends after its time. */
static int64_t watch(const struct usage *limit, int64_t start)
{
	for (;;) {
		struct usage usage = read_usage();
		int64_t now = now_ns();

		if (now - start >= load_ms * MS)
			told->loaded = 0;
		if (is_within(&usage, limit))
			return now;
		if (now - start >= drain_deadline_ms * MS)
			return 0;
		sleep_until(now + (now - start < 100 * MS ? MS : 10 * MS));
	}
}

static void end(pid_t pid)
{
	if (kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid)
		die("the end of a child");
}

/* Return what was in use before the victims were. */
static struct usage prepare(struct layout *layout)
{
	struct recipe recipe = { .bytes = mib << 20 };
	struct usage idle;

	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED)
		die("mmap");
	open_swap();
	open_cpus();
	prepare_content(seed, random_bytes);
	become_observer();
	idle = read_usage();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, &recipe);
	check_victims(victims, &recipe, min_swapped_permille, layout);
	return idle;
}

static void tell(int64_t back_at)
{
	long refused = 0;

	for (long i = 0; i < victims; i++) {
		sample("kill_ns", crowd[i].kill_ns, crowd[i].label);
		refused += told->readers[i].refused;
	}
	if (back_at)
		sample("drain_ns", back_at - crowd[0].killed_at, NULL);
	else
		sample_never("drain_ns", NULL);
	sample("refused_reads", refused, NULL);
	if (reap == BY_FLAG)
		meta("reap_flag", "%s", lacks_flag ? "no" : "yes");
}

static void storm(void)
{
	const struct death death = { .strike = strike, .struck = struck };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), pinned = 0;
	int64_t cpu_ns, readers_ns, last_reap, back_at;
	struct layout layout = { 0 };
	struct usage limit;
	struct swapoff attempt;

	if (cpus > MAX_CPUS)
		give_up("%ld CPUs are more than %d", cpus, MAX_CPUS);
	limit = prepare(&layout);
	/* not that of before: what kernels before 6.15 keep in their slot caches is no victim's */
	limit.swap_pages = read_swap_pages() - layout.swapped_pages;
	for (long i = 0; i < victims; i++)
		readers[i] = start_child(be_reader, i);
	sleep_ns(SETTLE_NS);
	told->loaded = 1;
	for (long i = 0; i < cpus; i++)
		loads[i] = start_child(be_load, i);
	/* not before: a child would keep the pipe to the reapers open */
	if (reap)
		start_reapers(1);
	sleep_ns(TAKE_OVER_NS);
	for (long i = 0; i < victims; i++)
		pinned += told->readers[i].inside;

	readers_ns = -cpu_of(readers, victims);
	cpu_ns = -cpu_of_all(cpus);
	profile_begin();
	last_reap = end_victims(victims, &death);
	back_at = watch(&limit, crowd[0].killed_at);
	profile_end();
	cpu_ns += cpu_of_all(cpus);
	readers_ns += cpu_of(readers, victims);

	tell(back_at);
	sample("makespan_ns", last_reap - crowd[0].killed_at, NULL);
	sample("cpu_ns", cpu_ns, NULL);
	sample("readers_cpu_ns", readers_ns, NULL);
	meta("pinned", "%ld", pinned);
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	told->loaded = 0;
	for (long i = 0; i < victims; i++)
		end(readers[i]);
	for (long i = 0; i < cpus; i++)
		end(loads[i]);
	attempt = start_swapoff(0);
	finish_swapoff(&attempt, swapoff_deadline_ms);
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "makespan_ns", "ns", "lower" },
		{ "drain_ns", "ns", "lower" },
		{ "cpu_ns", "ns", "lower" },
		{ "readers_cpu_ns", "ns", "lower" },
		{ "refused_reads", "reads", "lower" },
		{ "kill_ns", "ns", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ "swapoff_cpu_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "victims", 4, &victims, 1, MAX_VICTIMS, "processes to kill, each with a reader" },
		{ "mib", 16, &mib, 1, 4096, "memory of each victim, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "reap", BY_MRELEASE, &reap, BY_NOBODY, BY_FLAG,
		  "0 nobody, 1 process_mrelease, 2 the kill itself where the kernel can, else 1" },
		{ "reap_after_ms", 5, &reap_after_ms, 0, 1000,
		  "from the last kill to process_mrelease" },
		{ "load_ms", 1000, &load_ms, 1, 60000, "for so long nobody else gets a CPU" },
		{ "drain_deadline_ms", 3000, &drain_deadline_ms, 1, 600000,
		  "how long to wait for the memory" },
		{ "swapoff_deadline_ms", 500, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
