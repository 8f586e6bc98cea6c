/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cpu - who was on the CPUs for how long: all tasks, and the thread that asks.
 *
 * A task that is woken is charged from its waking on, and so for what the task before it
 * went on to do until it could be preempted: __schedule() does not look at the clock again
 * (rq_clock_skip_update() in kernel/sched, 7.3.4). Whoever looks on while others free with
 * preemption off is charged for milliseconds of their work. So the threads that look say
 * when they sleep, and what a sleep costs beyond one on an idle machine is not theirs.
 */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>
#include <sys/types.h>

#define MAX_CPUS	64

/* Call it before anything else here, while the machine is idle; it takes 20 ms. */
void open_cpus(void);

/*
 * The time that any task but idle was on each CPU, with the interrupts that hit
 * it there; return how many CPUs there are. A task is charged when it leaves its CPU.
 */
int read_cpus(int64_t cpu_ns[MAX_CPUS]);

/*
 * What all tasks together were charged, and all that the caller waited for, the interrupts
 * that hit them in it; who runs now is up to date. Not the sum of the above: there, a task
 * that is preempted when it is about to sleep is charged from its arrival before that
 * (sched_info_arrive() in kernel/sched/stats.h, 7.3.4), be it long ago. The clock of a
 * process has no such fault. One thread asks.
 */
int64_t read_cpu_ns(void);

int64_t own_cpu_ns(void);

/* Of a child that was not waited for, all its threads together. */
int64_t process_cpu_ns(pid_t pid);

/* Sleep as somebody who looks; return how much later than wanted it is. */
int64_t sleep_until(int64_t when);

/* Around anything else in which who looks may sleep. */
void begin_sleep(void);
void end_sleep(void);

/* What this thread was charged for in those sleeps and others did, and what is left of its own. */
int64_t others_cpu_ns(void);
int64_t looking_cpu_ns(void);

#endif
