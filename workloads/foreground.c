// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cpu.h"
#include "foreground.h"
#include "harness.h"
#include "victims.h"

#define FRAME_NICE	(-10)		/* as what draws on a phone's screen */
#define WAKEUP_NS	(2 * MS)
#define LOAD_PERIOD_NS	(10 * MS)
#define MAX_FRAMES	1000
#define MAX_WAKEUPS	2500
#define PARTIES		4		/* frames, wake-ups, preview, and who opens the scene */
#define SCHEDSTAT	"/proc/thread-self/schedstat"

/* What the process tells the observer. */
static struct told {
	pthread_barrier_t open;
	int64_t start;
	int64_t preview_ns, wakeups_cpu_ns;
	/* the observer reads it while the scene goes on */
	_Atomic int64_t others_ns;
	long preview_free_kib;
	int64_t frame_ns[MAX_FRAMES];
	int64_t frame_wait_max_ns;
	int64_t wakeup_ns[MAX_WAKEUPS];
} *told;

static struct scene scene;
static volatile bool closed;
static pid_t foreground;

static void work(int64_t ns)
{
	int64_t end = own_cpu_ns() + ns;

	while (own_cpu_ns() < end)
		for (volatile int i = 0; i < 2000; i++)
			;
}

static void *load(void *unused)
{
	int64_t next = now_ns();

	while (!closed) {
		work(LOAD_PERIOD_NS * scene.load_pct / 100);
		next += LOAD_PERIOD_NS;
		/* who is behind does not catch up: others had the CPU */
		if (now_ns() > next)
			next = now_ns();
		else
			sleep_until(next);
	}
	return unused;
}

/* Return for how long this thread was ready to run and had no CPU, so far. */
static int64_t waited_ns(int schedstat)
{
	long long waited;
	char text[96];

	read_text(schedstat, text, sizeof(text), SCHEDSTAT);
	if (sscanf(text, "%*u %lld", &waited) != 1)
		give_up("cannot read " SCHEDSTAT ": %s", text);
	return waited;
}

/* Return how late it was; what this thread was charged for and others did is counted. */
static int64_t count_sleep(int64_t until)
{
	int64_t others_ns = others_cpu_ns(), late_ns = sleep_until(until);

	told->others_ns += others_cpu_ns() - others_ns;
	return late_ns;
}

static void *draw(void *unused)
{
	int schedstat = open(SCHEDSTAT, O_RDONLY | O_CLOEXEC);

	if (schedstat < 0)
		die(SCHEDSTAT);
	if (setpriority(PRIO_PROCESS, gettid(), FRAME_NICE))
		die("setpriority");
	pthread_barrier_wait(&told->open);
	for (long i = 0; i < scene.watch_ns / scene.frame_ns; i++) {
		int64_t due = told->start + i * scene.frame_ns, wait_ns = -waited_ns(schedstat);

		count_sleep(due);
		work(scene.frame_cpu_ns);
		told->frame_ns[i] = now_ns() - due;
		wait_ns += waited_ns(schedstat);
		if (wait_ns > told->frame_wait_max_ns)
			told->frame_wait_max_ns = wait_ns;
	}
	return unused;
}

static void *wake_up(void *unused)
{
	pthread_barrier_wait(&told->open);
	for (long i = 0; i < scene.watch_ns / WAKEUP_NS; i++)
		told->wakeup_ns[i] = count_sleep(told->start + i * WAKEUP_NS);
	told->wakeups_cpu_ns = looking_cpu_ns();
	return unused;
}

static void preview(void)
{
	int64_t due;
	struct sysinfo now;
	unsigned char *buffers;

	pthread_barrier_wait(&told->open);
	if (!scene.preview_bytes)
		return;
	due = told->start + scene.preview_at_ns;
	sleep_until(due);
	if (sysinfo(&now))
		die("sysinfo");
	told->preview_free_kib = (long)((uint64_t)now.freeram * now.mem_unit / 1024);
	buffers = mmap(NULL, scene.preview_bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffers == MAP_FAILED ||
	    (madvise(buffers, scene.preview_bytes, MADV_NOHUGEPAGE) && errno != EINVAL))
		die("the preview's buffers");
	for (size_t at = 0; at < scene.preview_bytes; at += page_size)
		buffers[at] = 1;
	told->preview_ns = now_ns() - due;
}

static void __attribute__((noreturn)) be_foreground(int ready)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN), count = 0;
	pthread_t threads[MAX_CPUS + 2];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		die("prctl");
	if (cpus > MAX_CPUS || pthread_create(&threads[count++], NULL, draw, NULL) ||
	    pthread_create(&threads[count++], NULL, wake_up, NULL))
		give_up("a thread of the foreground cannot be made");
	for (long i = 0; scene.load_pct && i < cpus; i++)
		if (pthread_create(&threads[count++], NULL, load, NULL))
			give_up("a thread of the load cannot be made");
	if (write(ready, "", 1) != 1)
		die("the pipe of the foreground");
	preview();
	for (long i = 0; i < count; i++) {
		/* the first two end by themselves */
		closed = i >= 2;
		if (pthread_join(threads[i], NULL))
			give_up("a thread of the foreground is lost");
	}
	_exit(EXIT_SUCCESS);
}

void start_foreground(const struct scene *wanted)
{
	pthread_barrierattr_t shared;
	int ready[2];
	char byte;

	scene = *wanted;
	if (scene.watch_ns / scene.frame_ns > MAX_FRAMES || scene.watch_ns / WAKEUP_NS > MAX_WAKEUPS)
		give_up("%lld ms are too long to watch", (long long)(scene.watch_ns / MS));
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (told == MAP_FAILED || pthread_barrierattr_init(&shared) ||
	    pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) ||
	    pthread_barrier_init(&told->open, &shared, PARTIES) || pipe2(ready, O_CLOEXEC))
		give_up("the foreground cannot be prepared");
	foreground = fork();
	if (foreground < 0)
		die("fork");
	if (!foreground)
		be_foreground(ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		give_up("the foreground ended before it was ready");
	close(ready[0]);
}

int64_t open_scene(void)
{
	told->start = now_ns();
	pthread_barrier_wait(&told->open);
	return told->start;
}

int64_t foreground_cpu_ns(void)
{
	return foreground ? process_cpu_ns(foreground) - told->others_ns : 0;
}

void tell_foreground(void)
{
	long frames = scene.watch_ns / scene.frame_ns, wakeups = scene.watch_ns / WAKEUP_NS;
	long late = 0;
	int status;

	if (waitpid(foreground, &status, 0) != foreground || status)
		give_up("the foreground failed: status %#x", status);
	if (scene.preview_bytes) {
		sample("preview_free_kib", told->preview_free_kib, NULL);
		sample("preview_ns", told->preview_ns, NULL);
	}
	for (long i = 0; i < frames; i++) {
		sample("frame_ns", told->frame_ns[i], NULL);
		late += told->frame_ns[i] > scene.frame_ns;
	}
	for (long i = 0; i < wakeups; i++)
		sample("wakeup_ns", told->wakeup_ns[i], NULL);
	qsort(told->frame_ns, frames, sizeof(*told->frame_ns), by_size);
	qsort(told->wakeup_ns, wakeups, sizeof(*told->wakeup_ns), by_size);
	sample("frame_max_ns", told->frame_ns[frames - 1], NULL);
	sample("frame_wait_max_ns", told->frame_wait_max_ns, NULL);
	sample("late_frames", late, NULL);
	sample("wakeup_p99_ns", told->wakeup_ns[wakeups * 99 / 100], NULL);
	meta("wakeups_cpu_ns", "%lld", (long long)told->wakeups_cpu_ns);
}

bool is_of_foreground(const char *metric)
{
	static const char * const metrics[] = {
		"preview_free_kib", "preview_ns", "frame_ns", "frame_max_ns", "frame_wait_max_ns",
		"late_frames", "wakeup_ns", "wakeup_p99_ns",
	};

	for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
		if (!strcmp(metric, metrics[i]))
			return true;
	return false;
}
