/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qemu_internals.h - the functions of QEMU 10.0 itself that are used here.
 *
 * They are no interface. A QEMU that is built with modules, as Debian's is, exports them for
 * its modules; plugins are bound when they are loaded, so another QEMU ends with "undefined
 * symbol" and the name. The toolchain image pins the version.
 */
#ifndef QEMU_INTERNALS_H
#define QEMU_INTERNALS_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

enum { QEMU_CLOCK_VIRTUAL = 1, QEMU_TIMER_ATTR_ALL = -1 };
enum { EXCP_YIELD = 0x10004, EXCP_ATOMIC = 0x10005 };

extern __thread struct cpu *current_cpu;

/* Its lock, which the main thread and the devices take as well. */
void bql_lock_impl(const char *file, int line);
void bql_unlock(void);
#define bql_lock() bql_lock_impl(__FILE__, __LINE__)

bool runstate_is_running(void);
void *object_class_by_name(const char *name);

struct cpu *qemu_get_cpu(int index);
int qemu_plugin_num_vcpus(void);
void async_run_on_cpu(struct cpu *cpu, void (*work)(struct cpu *, uintptr_t), uintptr_t data);
bool cpu_can_run(struct cpu *cpu);
bool cpu_thread_is_idle(struct cpu *cpu);
void cpu_exit(struct cpu *cpu);
void qemu_wait_io_event_common(struct cpu *cpu);
int tcg_cpu_exec(struct cpu *cpu);
void cpu_exec_step_atomic(struct cpu *cpu);

void icount_prepare_for_run(struct cpu *cpu, int64_t budget);
void icount_process_data(struct cpu *cpu);
void icount_handle_interrupt(struct cpu *cpu, int mask);
int64_t icount_get_raw(void);
int64_t icount_get(void);

int64_t qemu_clock_deadline_ns_all(int clock, int attributes);
bool qemu_clock_run_timers(int clock);

#endif
