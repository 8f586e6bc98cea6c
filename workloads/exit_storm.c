// SPDX-License-Identifier: GPL-2.0-only
/*
 * exit_storm - kill many swapped-out processes at once.
 *
 * Three clocks, because a patch may move work rather than remove it:
 * exit_ns and makespan_ns stop when the victims are gone, drain_ns when the
 * swap and the compressed memory they held are free again, and cpu_ns adds up
 * what all tasks together spent until then, whoever did the work.
 *
 * The victims use base pages: whether a huge page can be had is luck that
 * differs from boot to boot, and it decides how swap slots lie together.
 * They are filled and paged out one after the other for the same reason.
 *
 * The parent is the observer. It is locked in memory and runs as SCHED_FIFO,
 * so that it sees an exit when it happens even if every CPU is busy exiting.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define MS		1000000LL
#define MAX_VICTIMS	64
#define BLOCK_BYTES	4096	/* what random_bytes is a part of, whatever the page size */
#define POOL_BYTES	(256 * 1024)
#define LINE_BYTES	128
#define PAGEOUT_TRIES	4
#define SETTLE_NS	(200 * MS)
#define SWITCH_NS	(5 * MS)	/* long enough for others to run and be charged */
#define EXIT_DEADLINE_MS 60000

static long victims, mib, seed, random_bytes, extent_pages;
static long drain_deadline_ms, swapoff_deadline_ms, min_swapped_permille;

/* ---- page content -------------------------------------------------------- */

static unsigned char noise[POOL_BYTES + BLOCK_BYTES];
static char prose[BLOCK_BYTES + LINE_BYTES];

/* splitmix64, by Sebastiano Vigna; public domain */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void prepare_content(void)
{
	static const char * const words[] = {
		"activity ", "binder ", "camera ", "display ", "intent ", "layout ", "null ",
		"package ", "render ", "service ", "string ", "surface ", "thread ", "view ",
		"window ", "zygote ",
	};
	uint64_t state = seed;
	size_t length = 0;

	for (size_t i = 0; i < sizeof(noise); i += sizeof(state)) {
		uint64_t word = next_random(&state);

		memcpy(noise + i, &word, sizeof(word));
	}

	while (length < LINE_BYTES) {
		const char *word = words[next_random(&state) % 16];

		while (*word && length < LINE_BYTES)
			prose[length++] = *word++;
	}
	for (size_t i = LINE_BYTES; i < sizeof(prose); i++)
		prose[i] = prose[i - LINE_BYTES];
}

/*
 * Noise does not compress and prose compresses to next to nothing, so the share
 * of noise sets the compressed size. It differs from page to page, between half
 * and one and a half times random_bytes, to use many of zsmalloc's size classes.
 */
static void fill(unsigned char *arena, size_t bytes, long victim)
{
	long spread = random_bytes / 2;
	uint64_t state = (uint64_t)seed << 32 | (victim + 1);

	if (spread > BLOCK_BYTES - random_bytes)
		spread = BLOCK_BYTES - random_bytes;

	for (unsigned char *block = arena; block < arena + bytes; block += BLOCK_BYTES) {
		uint64_t dice = next_random(&state);
		size_t noisy = random_bytes - spread + (dice >> 40) % (2 * spread + 1);

		memcpy(block, noise + dice % POOL_BYTES, noisy);
		memcpy(block + noisy, prose + (dice >> 20) % LINE_BYTES, BLOCK_BYTES - noisy);
	}
}

/* ---- where pages are ----------------------------------------------------- */

struct layout {
	long swapped_pages;
	long extents;	/* runs of neighbouring pages in neighbouring swap slots */
};

static long page_size;

static void add_layout(struct layout *layout, int pagemap, const void *arena, size_t bytes)
{
	static uint64_t entries[4096];
	off_t first = (uintptr_t)arena / page_size;
	long pages = bytes / page_size;
	uint64_t previous = 0;

	for (long done = 0; done < pages;) {
		long most = sizeof(entries) / sizeof(entries[0]);
		size_t want = (pages - done < most ? pages - done : most) * sizeof(entries[0]);
		ssize_t got = pread(pagemap, entries, want, (first + done) * sizeof(entries[0]));

		if (got <= 0)
			die("pagemap");
		for (long i = 0; i < got / (ssize_t)sizeof(entries[0]); i++) {
			bool swapped = entries[i] & (1ULL << 62);
			/* bits 0-4 are the swap area, 5-54 the slot in it */
			uint64_t slot = entries[i] & ((1ULL << 55) - 1);

			layout->swapped_pages += swapped;
			if (swapped && (!previous || slot != previous + (1 << 5)))
				layout->extents++;
			previous = swapped ? slot : 0;
		}
		done += got / sizeof(entries[0]);
	}
}

static int open_pagemap(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

/* ---- what the system has in use ------------------------------------------ */

struct usage {
	long swap_pages;
	long zram_orig_bytes;
	long zram_compr_bytes;
	long zram_memory_bytes;
};

struct vmstat {
	char text[32 * 1024];
};

static char swap_device[64];
static int mm_stat_fd, schedstat_fd, vmstat_fd;

static int open_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path);
	return fd;
}

static void open_system(void)
{
	char text[1024], name[32], path[64];
	int swaps = open_text("/proc/swaps");
	char *area;

	read_text(swaps, text, sizeof(text), "/proc/swaps");
	close(swaps);
	area = strchr(text, '\n');
	if (!area || sscanf(area, " /dev/%31s", name) != 1)
		give_up("no swap area is in use");
	if (strchr(area + 1, '\n') != strrchr(area, '\n'))
		give_up("more than one swap area is in use");
	snprintf(swap_device, sizeof(swap_device), "/dev/%s", name);

	snprintf(path, sizeof(path), "/sys/block/%s/mm_stat", name);
	mm_stat_fd = open_text(path);
	schedstat_fd = open_text("/proc/schedstat");
	vmstat_fd = open_text("/proc/vmstat");
}

/* the same two numbers as SwapTotal and SwapFree, without the rest of meminfo */
static long read_swap_pages(void)
{
	struct sysinfo system;

	if (sysinfo(&system))
		die("sysinfo");
	return (system.totalswap - system.freeswap) * system.mem_unit / page_size;
}

static void read_zram(struct usage *usage)
{
	static char text[1024];

	read_text(mm_stat_fd, text, sizeof(text), "mm_stat");
	if (sscanf(text, "%ld %ld %ld", &usage->zram_orig_bytes, &usage->zram_compr_bytes,
		   &usage->zram_memory_bytes) != 3)
		give_up("cannot read mm_stat: %s", text);
}

static struct usage read_usage(void)
{
	struct usage usage = { .swap_pages = read_swap_pages() };

	read_zram(&usage);
	return usage;
}

static bool is_within(const struct usage *usage, const struct usage *limit)
{
	return usage->swap_pages <= limit->swap_pages &&
	       usage->zram_orig_bytes <= limit->zram_orig_bytes &&
	       usage->zram_compr_bytes <= limit->zram_compr_bytes &&
	       usage->zram_memory_bytes <= limit->zram_memory_bytes;
}

static bool is_less(const struct usage *usage, const struct usage *before)
{
	return usage->swap_pages < before->swap_pages ||
	       usage->zram_compr_bytes < before->zram_compr_bytes ||
	       usage->zram_memory_bytes < before->zram_memory_bytes;
}

/*
 * Time that any task but idle was on a CPU, all CPUs together, with the
 * interrupts that hit it there. A task is charged when it leaves its CPU, so
 * sleep for SWITCH_NS before asking.
 */
static int64_t read_cpu_ns(void)
{
	static char text[32 * 1024];
	int64_t sum = 0;
	int cpus = 0;

	read_text(schedstat_fd, text, sizeof(text), "/proc/schedstat");
	for (char *row = text; row; row = strchr(row, '\n')) {
		long long cpu_ns;

		row += *row == '\n';
		if (sscanf(row, "cpu%*u %*u %*u %*u %*u %*u %*u %lld", &cpu_ns) == 1) {
			sum += cpu_ns;
			cpus++;
		}
	}
	if (!cpus)
		give_up("/proc/schedstat names no CPU");
	return sum;
}

static void read_vmstat(struct vmstat *vmstat)
{
	read_text(vmstat_fd, vmstat->text, sizeof(vmstat->text), "/proc/vmstat");
}

static void tell_vmstat(const struct vmstat *before, const struct vmstat *after)
{
	const char *old = before->text, *new = after->text;
	char old_name[64], new_name[64];
	long old_value, new_value;
	int old_length, new_length;

	while (sscanf(old, "%63s %ld\n%n", old_name, &old_value, &old_length) == 2 &&
	       sscanf(new, "%63s %ld\n%n", new_name, &new_value, &new_length) == 2) {
		char key[80];

		if (strcmp(old_name, new_name))
			give_up("/proc/vmstat changed from %s to %s", old_name, new_name);
		snprintf(key, sizeof(key), "vmstat.%s", new_name);
		if (old_value != new_value)
			meta(key, "%ld", new_value - old_value);
		old += old_length;
		new += new_length;
	}
}

/* ---- victims -------------------------------------------------------------- */

struct victim {
	pid_t pid;
	int pidfd;
	void *arena;
	char label[16];
	int64_t killed_at;
	int64_t exited_at;
};

static struct victim crowd[MAX_VICTIMS];

static long common_divisor(long a, long b)
{
	return b ? common_divisor(b, a % b) : a;
}

/*
 * Neighbouring pages get neighbouring swap slots if they go out together. With
 * extent_pages the arena goes out in pieces of that many, each next one far from
 * the last, as if reclaim had met them in the order of their use.
 */
static void page_out(unsigned char *arena, size_t bytes)
{
	size_t piece = extent_pages ? (size_t)(extent_pages * page_size) : bytes;
	long pieces = (bytes + piece - 1) / piece;
	long step = pieces * 618 / 1000 + 1;

	while (common_divisor(step, pieces) != 1)
		step++;
	for (long i = 0; i < pieces; i++) {
		size_t at = i * step % pieces * piece;

		if (madvise(arena + at, bytes - at < piece ? bytes - at : piece, MADV_PAGEOUT))
			die("MADV_PAGEOUT");
	}
}

static void __attribute__((noreturn)) be_victim(long number, size_t bytes, int ready)
{
	struct layout layout = { 0 };
	unsigned char *arena;
	int pagemap;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	/* the observer's files are none of ours, and would be closed on our way out */
	if (close_range(STDERR_FILENO + 1, ready - 1, 0) || close_range(ready + 1, ~0U, 0))
		die("close_range");
	arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		die("mmap of a victim");
	/* a kernel without huge pages does not know this advice, and need not */
	if (madvise(arena, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("MADV_NOHUGEPAGE");
	fill(arena, bytes, number);

	pagemap = open_pagemap(getpid());
	for (int i = 0; i < PAGEOUT_TRIES && layout.swapped_pages * page_size < (long)bytes; i++) {
		page_out(arena, bytes);
		layout = (struct layout){ 0 };
		add_layout(&layout, pagemap, arena, bytes);
	}
	close(pagemap);

	if (write(ready, &arena, sizeof(arena)) != sizeof(arena))
		die("the pipe of a victim");
	for (;;)
		pause();
}

static void start_victim(struct victim *victim, long number, size_t bytes)
{
	int ready[2];

	snprintf(victim->label, sizeof(victim->label), "victim-%ld", number);
	if (pipe2(ready, O_CLOEXEC))
		die("pipe2");
	victim->pid = fork();
	if (victim->pid < 0)
		die("fork");
	if (!victim->pid)
		be_victim(number, bytes, ready[1]);
	close(ready[1]);

	if (read(ready[0], &victim->arena, sizeof(victim->arena)) != sizeof(victim->arena))
		give_up("%s ended before it was ready", victim->label);
	close(ready[0]);
	victim->pidfd = pidfd_open(victim->pid, 0);
	if (victim->pidfd < 0)
		die("pidfd_open");
}

/* ---- the observer --------------------------------------------------------- */

static void become_observer(void)
{
	struct sched_param priority = { .sched_priority = 50 };

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		die("mlockall");
	/* the children are ordinary processes */
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority))
		die("sched_setscheduler");
}

static int64_t own_cpu_ns(void)
{
	struct timespec spent;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent))
		die("clock_gettime");
	return spent.tv_sec * 1000000000LL + spent.tv_nsec;
}

static void check_victims(size_t bytes, struct layout *layout)
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

/* Kill all victims and return when the last of them has been reaped. */
static int64_t kill_victims(void)
{
	static struct pollfd alive[MAX_VICTIMS];
	long left = victims;

	for (long i = 0; i < victims; i++)
		alive[i] = (struct pollfd){ .fd = crowd[i].pidfd, .events = POLLIN };
	for (long i = 0; i < victims; i++) {
		crowd[i].killed_at = now_ns();
		if (pidfd_send_signal(crowd[i].pidfd, SIGKILL, NULL, 0))
			die("pidfd_send_signal");
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

struct drain {
	bool complete;
	int64_t at;
	int64_t cpu_ns;		/* counter at the end, or just after the last progress */
	long polls;
	struct usage usage;
};

/*
 * Watch until all that the victims held is free again. The first look comes
 * right after the last reap, so a kernel that frees while it exits is not
 * charged for waiting; then one look every millisecond, later every ten.
 * A look costs some microseconds and is part of cpu_ns, so it is short: while
 * swap is in use, zram is not asked. The counter is read once more after the
 * last progress: whoever made it may not have left its CPU at the first reading.
 */
static struct drain watch_drain(const struct usage *limit, int64_t start)
{
	struct drain drain = {
		.usage = { LONG_MAX, LONG_MAX, LONG_MAX, LONG_MAX },
	};
	bool progress = true;

	for (;;) {
		struct usage usage = drain.usage;
		bool progressed = progress;

		usage.swap_pages = read_swap_pages();
		if (usage.swap_pages <= limit->swap_pages)
			read_zram(&usage);
		drain.at = now_ns();
		drain.polls++;
		progress = is_less(&usage, &drain.usage);
		drain.usage = usage;
		if (is_within(&usage, limit)) {
			drain.complete = true;
			sleep_ns(SWITCH_NS);
			drain.cpu_ns = read_cpu_ns();
			return drain;
		}
		if (progress || progressed)
			drain.cpu_ns = read_cpu_ns();
		if (drain.at - start >= drain_deadline_ms * MS)
			return drain;
		sleep_ns(drain.at - start < 1000 * MS ? MS : 10 * MS);
	}
}

/* ---- swapoff -------------------------------------------------------------- */

struct swapoff_result {
	int64_t begin;
	int64_t end;
	int error;
};

/* In a child, because a swapoff that cannot finish must not take us along. */
static void try_swapoff(void)
{
	struct swapoff_result *result = mmap(NULL, sizeof(*result), PROT_READ | PROT_WRITE,
					     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pollfd child = { .events = POLLIN };
	pid_t pid;

	if (result == MAP_FAILED)
		die("mmap of the swapoff result");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		result->begin = now_ns();
		result->error = swapoff(swap_device) ? errno : 0;
		result->end = now_ns();
		_exit(EXIT_SUCCESS);
	}
	child.fd = pidfd_open(pid, 0);
	if (child.fd < 0)
		die("pidfd_open");

	if (poll(&child, 1, swapoff_deadline_ms) == 1) {
		if (!result->end)
			give_up("the swapoff child died");
		if (!result->error) {
			sample("swapoff_ns", result->end - result->begin, NULL);
			meta("swapoff", "done");
			return;
		}
		meta("swapoff", "failed-%d", result->error);
	} else {
		if (kill(pid, SIGKILL))
			die("kill");
		meta("swapoff", poll(&child, 1, 1000) == 1 ? "killed" : "stuck");
	}
	sample_never("swapoff_ns", NULL);
}

/* ---- the storm ------------------------------------------------------------ */

static void storm(void)
{
	static struct vmstat vmstat_before, vmstat_after;
	size_t bytes = mib << 20;
	struct layout layout = { 0 };
	struct usage idle, full, limit;
	struct drain drain;
	int64_t first_kill, last_reap, cpu_before, own_before, own_after;

	page_size = sysconf(_SC_PAGESIZE);
	open_system();
	prepare_content();
	become_observer();

	idle = read_usage();
	for (long i = 0; i < victims; i++)
		start_victim(&crowd[i], i, bytes);
	check_victims(bytes, &layout);
	sleep_ns(SETTLE_NS);
	full = read_usage();
	/* not idle's: what kernels before 6.15 keep in their slot caches is no victim's */
	limit = idle;
	limit.swap_pages = full.swap_pages - layout.swapped_pages;

	read_vmstat(&vmstat_before);
	sleep_ns(SWITCH_NS);
	cpu_before = read_cpu_ns();
	own_before = own_cpu_ns();
	profile_begin();
	last_reap = kill_victims();
	drain = watch_drain(&limit, last_reap);
	profile_end();
	own_after = own_cpu_ns();
	read_vmstat(&vmstat_after);

	first_kill = crowd[0].killed_at;
	for (long i = 0; i < victims; i++)
		sample("exit_ns", crowd[i].exited_at - crowd[i].killed_at, crowd[i].label);
	sample("makespan_ns", last_reap - first_kill, NULL);
	if (drain.complete)
		sample("drain_ns", drain.at - first_kill, NULL);
	else
		sample_never("drain_ns", NULL);
	sample("cpu_ns", drain.cpu_ns - cpu_before, NULL);
	sample("residue_pages", drain.usage.swap_pages > limit.swap_pages ?
	       drain.usage.swap_pages - limit.swap_pages : 0, NULL);
	meta("drained", drain.complete ? "yes" : "no");
	meta("drain_polls", "%ld", drain.polls);
	meta("observer_cpu_ns", "%lld", (long long)(own_after - own_before));

	full.zram_orig_bytes -= idle.zram_orig_bytes;
	full.zram_compr_bytes -= idle.zram_compr_bytes;
	meta("swapped_pages", "%ld", layout.swapped_pages);
	meta("extents", "%ld", layout.extents);
	meta("pages_per_extent", "%.2f",
	     layout.extents ? (double)layout.swapped_pages / layout.extents : 0.0);
	meta("zram_orig_bytes", "%ld", full.zram_orig_bytes);
	meta("zram_compr_bytes", "%ld", full.zram_compr_bytes);
	meta("zram_ratio", "%.3f", full.zram_compr_bytes ?
	     (double)full.zram_orig_bytes / full.zram_compr_bytes : 0.0);
	tell_vmstat(&vmstat_before, &vmstat_after);

	try_swapoff();
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "exit_ns", "ns", "lower" },
		{ "makespan_ns", "ns", "lower" },
		{ "drain_ns", "ns", "lower" },
		{ "cpu_ns", "ns", "lower" },
		{ "residue_pages", "pages", "lower" },
		{ "swapoff_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "victims", 10, &victims, 1, MAX_VICTIMS, "processes to kill" },
		{ "mib", 32, &mib, 1, 4096, "memory of each victim, MiB" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of the page content" },
		{ "random_bytes", 1420, &random_bytes, 0, BLOCK_BYTES,
		  "mean of incompressible bytes in each 4096" },
		{ "extent_pages", 0, &extent_pages, 0, 1 << 20,
		  "neighbouring pages in neighbouring swap slots, 0 for as many as will" },
		{ "drain_deadline_ms", 3000, &drain_deadline_ms, 0, 600000,
		  "how long after the last reap swap may take to drain" },
		{ "swapoff_deadline_ms", 1000, &swapoff_deadline_ms, 0, 600000,
		  "how long swapoff may take" },
		{ "min_swapped_permille", 990, &min_swapped_permille, 0, 1000,
		  "smaller share of pages in swap is an error" },
		{ 0 },
	},
	.iterate = storm,
};
