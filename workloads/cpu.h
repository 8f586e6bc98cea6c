/* SPDX-License-Identifier: GPL-2.0-only */
/* cpu - who was on the CPUs for how long: all tasks, and the thread that asks. */
#ifndef CPU_H
#define CPU_H

#include <stdint.h>
#include <sys/types.h>

#define MAX_CPUS	64

/* Call it before anything else here. */
void open_cpus(void);

/*
 * The time that any task but idle was on each CPU, with the interrupts that hit
 * it there; return how many CPUs there are. A task is charged when it leaves its CPU.
 */
int read_cpus(int64_t cpu_ns[MAX_CPUS]);

/* The sum over all CPUs. */
int64_t read_cpu_ns(void);

int64_t own_cpu_ns(void);

/* Of a child that was not waited for, all its threads together. */
int64_t process_cpu_ns(pid_t pid);

#endif
