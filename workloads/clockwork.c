// SPDX-License-Identifier: GPL-2.0-only
/*
 * clockwork - how a machine keeps time: its clock, its CPUs side by side, its locks.
 *
 * It measures a machine and not a kernel: on one whose vCPUs share a timeline the same work
 * in eight threads takes eight times as long, on one whose clocks are apart a time that
 * was read goes back. `doctor` boots it and says what is to be expected.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "swap.h"

#define MAX_THREADS	8
#define MAX_ROUNDS	1000

static long loops, rounds, seed;
static int cpus;

/* Two instructions a loop, and nothing that depends on memory. */
static void work(long count)
{
#ifdef __aarch64__
	__asm__ volatile("1: subs %0, %0, #1\n\tb.ne 1b" : "+r"(count) : : "cc");
#else
	while (count--)
		__asm__ volatile("");
#endif
}

static void yield_cpu(void)
{
#ifdef __aarch64__
	__asm__ volatile("yield");
#endif
}

static void pin(long cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static pthread_t start(void *(*run)(void *), long number)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, (void *)number);
	if (errno)
		die("pthread_create");
	return thread;
}

static pthread_barrier_t all_there;
static int64_t began_ns;

/* Wait for all threads on a CPU of one's own; the clock starts when they are there. */
static void gather(long cpu)
{
	pin(cpu);
	if (pthread_barrier_wait(&all_there) == PTHREAD_BARRIER_SERIAL_THREAD)
		began_ns = now_ns();
	pthread_barrier_wait(&all_there);
}

/* Run one thread on each of the first CPUs, to their end. */
static void run_on(int threads, void *(*run)(void *))
{
	pthread_t started[MAX_THREADS];

	pthread_barrier_init(&all_there, NULL, threads);
	for (long cpu = 0; cpu < threads; cpu++)
		started[cpu] = start(run, cpu);
	for (int i = 0; i < threads; i++)
		pthread_join(started[i], NULL);
}

/* ---- the clock ------------------------------------------------------------- */

static void measure_steps(void)
{
	int64_t last = now_ns(), steps[MAX_ROUNDS];

	for (long i = 0; i < rounds; i++) {
		int64_t now = now_ns();

		steps[i] = now - last;
		last = now;
	}
	for (long i = 0; i < rounds; i++)
		sample("clock_step_ns", steps[i], NULL);
}

static _Atomic int64_t newest, worst_back;
static atomic_long went_back;

/* What any CPU has read must be past for all. */
static void *read_in_turns(void *cpu)
{
	gather((long)cpu);
	for (long i = 0; i < 20 * rounds; i++) {
		int64_t known = atomic_load(&newest), now = now_ns();

		if (now < known) {
			went_back++;
			if (known - now > atomic_load(&worst_back))
				atomic_store(&worst_back, known - now);
		}
		known = atomic_load(&newest);
		while (known < now && !atomic_compare_exchange_weak(&newest, &known, now))
			;
	}
	return NULL;
}

/* ---- the same work on more and more CPUs ------------------------------------ */

static int64_t took_ns[MAX_THREADS];

static void *do_work(void *cpu)
{
	int64_t began;

	gather((long)cpu);
	began = now_ns();
	work(loops);
	took_ns[(long)cpu] = now_ns() - began;
	return NULL;
}

static void measure_work(int threads)
{
	char label[24];

	run_on(threads, do_work);
	for (int cpu = 0; cpu < threads; cpu++) {
		snprintf(label, sizeof(label), "%d-threads-cpu-%d", threads, cpu);
		sample("work_ns", took_ns[cpu], label);
	}
}

/* ---- one word, two CPUs ------------------------------------------------------ */

static atomic_int turn;
static _Atomic int64_t ended_ns;
static void (*wait_a_little)(int seen);

/* The last to call it is the last to end. */
static void note_end(void)
{
	atomic_store(&ended_ns, now_ns());
}

static void sleep_on_turn(int seen)
{
	syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void spin_on_turn(int seen)
{
	(void)seen;
}

static void yield_on_turn(int seen)
{
	(void)seen;
	yield_cpu();
}

static void *hand_over(void *self)
{
	gather((long)self);
	for (long i = 0; i < rounds; i++) {
		int seen;

		while ((seen = atomic_load(&turn)) != (long)self)
			wait_a_little(seen);
		atomic_store(&turn, 1 - (long)self);
		if (wait_a_little == sleep_on_turn)
			syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	note_end();
	return NULL;
}

static void measure_hand_over(const char *metric, void (*how)(int seen))
{
	wait_a_little = how;
	atomic_store(&turn, 0);
	run_on(2, hand_over);
	sample(metric, (atomic_load(&ended_ns) - began_ns) / (2 * rounds), NULL);
}

/* ---- one lock, all CPUs -------------------------------------------------------- */

#define HELD_LOOPS	250	/* 500 instructions: 1 us of 2 ns each */

static atomic_long next_ticket, now_serving;

static void *take_ticket_lock(void *cpu)
{
	gather((long)cpu);
	for (long i = 0; i < rounds; i++) {
		long ticket = atomic_fetch_add(&next_ticket, 1);

		while (atomic_load_explicit(&now_serving, memory_order_acquire) != ticket)
			yield_cpu();
		work(HELD_LOOPS);
		atomic_store(&now_serving, ticket + 1);
		work(HELD_LOOPS);
	}
	note_end();
	return NULL;
}

static void measure_ticket_lock(void)
{
	run_on(cpus, take_ticket_lock);
	sample("ticket_section_ns", (atomic_load(&ended_ns) - began_ns) / (rounds * cpus), NULL);
}

/* ---- other CPUs, busy or idle --------------------------------------------------- */

static atomic_bool enough;
static pthread_t busy[MAX_THREADS];

static void *be_busy(void *cpu)
{
	pin((long)cpu);
	while (!atomic_load(&enough))
		work(1000);
	return NULL;
}

static void make_others_busy(void)
{
	atomic_store(&enough, false);
	for (long cpu = 1; cpu < cpus; cpu++)
		busy[cpu] = start(be_busy, cpu);
	sleep_ns(1000000);
}

static void let_others_rest(void)
{
	atomic_store(&enough, true);
	for (int cpu = 1; cpu < cpus; cpu++)
		pthread_join(busy[cpu], NULL);
}

/* membarrier interrupts each CPU that runs a thread of ours, and waits for all of them. */
static void measure_interrupts(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
		die("membarrier");
	for (long i = 0; i < rounds; i++) {
		int64_t began = now_ns();

		if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
			die("membarrier");
		sample("interrupt_others_ns", now_ns() - began, NULL);
	}
}

static void measure_timers(const char *metric)
{
	for (long i = 0; i < rounds; i++) {
		int64_t due = now_ns() + 100000 + i * 777;
		struct timespec until = { due / 1000000000, due % 1000000000 };

		errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		if (errno)
			die("clock_nanosleep");
		sample(metric, now_ns() - due, NULL);
	}
}

static atomic_int calls;
static _Atomic int64_t called_ns;
static const char *woken_metric;

/* Above whatever keeps the CPU busy, as a thread that a frame waits for. */
static void *answer(void *unused)
{
	struct sched_param priority = { .sched_priority = 10 };

	(void)unused;
	pin(1);
	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		die("sched_setscheduler");
	pthread_barrier_wait(&all_there);
	for (int i = 0; i < rounds; i++) {
		while (atomic_load(&calls) == i)
			syscall(SYS_futex, &calls, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
		sample(woken_metric, now_ns() - atomic_load(&called_ns), NULL);
	}
	return NULL;
}

static void measure_wake_ups(const char *metric)
{
	pthread_t woken;

	woken_metric = metric;
	atomic_store(&calls, 0);
	pthread_barrier_init(&all_there, NULL, 2);
	woken = start(answer, 0);
	pthread_barrier_wait(&all_there);
	for (int i = 0; i < rounds; i++) {
		sleep_ns(300000 + i * 777);
		atomic_store(&called_ns, now_ns());
		atomic_store(&calls, i + 1);
		syscall(SYS_futex, &calls, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
	pthread_join(woken, NULL);
}

/* ---- all of it --------------------------------------------------------------------- */

static void note_capacities(void)
{
	char path[64], text[16];

	for (int cpu = 0; cpu < cpus; cpu++) {
		FILE *file;

		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/cpu_capacity", cpu);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fscanf(file, "%15s", text) != 1)
			give_up("%s is empty", path);
		fclose(file);
		snprintf(path, sizeof(path), "cpu_capacity.%d", cpu);
		meta(path, "%s", text);
	}
}

static void measure_pairs(void)
{
	run_on(cpus, read_in_turns);
	sample("clock_back_count", atomic_load(&went_back), NULL);
	sample("clock_back_ns", atomic_load(&worst_back), NULL);
	measure_hand_over("futex_hand_over_ns", sleep_on_turn);
	measure_hand_over("spin_hand_over_ns", spin_on_turn);
	measure_hand_over("yield_hand_over_ns", yield_on_turn);
	measure_ticket_lock();
	measure_wake_ups("wake_idle_ns");
	make_others_busy();
	measure_timers("timer_late_busy_ns");
	measure_interrupts();
	measure_wake_ups("wake_busy_ns");
	let_others_rest();
}

static bool measures(const char *metric)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1 || !strcmp(metric, "clock_step_ns") ||
	       !strcmp(metric, "work_ns") || !strcmp(metric, "timer_late_idle_ns");
}

static void measure(void)
{
	open_swap();	/* only a guest has it; on a host this would take all CPUs */
	cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (cpus > MAX_THREADS)
		give_up("%d CPUs are more than %d", cpus, MAX_THREADS);
	meta("cpus", "%d", cpus);
	note_capacities();
	/* a sleep may otherwise end 50 us late, for company */
	if (prctl(PR_SET_TIMERSLACK, 1))
		die("PR_SET_TIMERSLACK");
	pin(0);

	profile_begin();
	measure_steps();
	for (int threads = 1; threads <= cpus; threads *= 2)
		measure_work(threads);
	measure_timers("timer_late_idle_ns");
	if (cpus > 1)
		measure_pairs();
	profile_end();
}

const struct workload workload = {
	.metrics = (const struct metric[]) {
		{ "clock_step_ns", "ns", "lower" },
		{ "clock_back_count", "count", "lower" },
		{ "clock_back_ns", "ns", "lower" },
		{ "work_ns", "ns", "lower" },
		{ "timer_late_idle_ns", "ns", "lower" },
		{ "timer_late_busy_ns", "ns", "lower" },
		{ "wake_idle_ns", "ns", "lower" },
		{ "wake_busy_ns", "ns", "lower" },
		{ "interrupt_others_ns", "ns", "lower" },
		{ "futex_hand_over_ns", "ns", "lower" },
		{ "spin_hand_over_ns", "ns", "lower" },
		{ "yield_hand_over_ns", "ns", "lower" },
		{ "ticket_section_ns", "ns", "lower" },
		{ 0 },
	},
	.parameters = (const struct parameter[]) {
		{ "loops", 10000000, &loops, 1000, INT32_MAX,
		  "of two instructions each, that a thread does" },
		{ "rounds", 200, &rounds, 1, MAX_ROUNDS, "of everything else" },
		{ "seed", 1, &seed, 0, INT32_MAX, "of nothing here: the machine draws from it" },
		{ 0 },
	},
	.iterate = measure,
	.measures = measures,
};
