// SPDX-License-Identifier: GPL-2.0-only
/*
 * clocks - a clock for each vCPU, which counts its own instructions, and the one that is shown.
 *
 * vCPUs run in turns, so the clock of the running one may be behind what another was shown
 * a moment ago. Whoever reads the time is therefore never shown less than anybody was
 * before: up to a quantum apart in truth, it never goes back.
 */
#include <stddef.h>

#include "qemu_internals.h"
#include "timelines.h"

/* The table of accelerator operations is searched no further than it is long. */
#define TABLE_WORDS	32

static int64_t shown_ns;		/* the latest time that anybody was shown */
static const struct vcpu *running;	/* whose instructions are being counted */
static int64_t counted_before;		/* when its slice began */
static __thread bool runs_vcpus;	/* the main thread reads the clock too */

int64_t now_ns(void)
{
	return __atomic_load_n(&shown_ns, __ATOMIC_RELAXED);
}

void advance_to_ns(int64_t ns)
{
	if (ns > shown_ns)
		__atomic_store_n(&shown_ns, ns, __ATOMIC_RELAXED);
}

static int64_t executed_ps(void)
{
	return (icount_get_raw() - counted_before) * running->ps_per_instruction;
}

static int64_t read_clock(void)
{
	if (runs_vcpus && running)
		advance_to_ns((running->clock_ps + executed_ps()) / PS_PER_NS);
	return now_ns();
}

/*
 * Ends the slice in which another vCPU is woken, as its time may begin before that of the
 * slice's end. QEMU does so only for a vCPU of another thread.
 */
static void handle_interrupt(struct cpu *cpu, int mask)
{
	bool asleep = runs_vcpus && running && cpu != running->cpu && cpu_thread_is_idle(cpu);

	icount_handle_interrupt(cpu, mask);
	if (asleep && !cpu_thread_is_idle(cpu))
		cpu_exit(running->cpu);
}

/*
 * The operations lie in the order handle_interrupt, get_virtual_clock, set_virtual_clock,
 * get_elapsed_ticks. With -icount the third is not there, and the others are known.
 */
static void **find_operations(void)
{
	void **table = object_class_by_name("tcg-accel-ops");

	for (int i = 0; table && i + 3 < TABLE_WORDS; i++)
		if (table[i] == (void *)icount_handle_interrupt &&
		    table[i + 1] == (void *)icount_get && !table[i + 2] &&
		    table[i + 3] == (void *)icount_get)
			return table + i;
	return NULL;
}

void take_clocks(void)
{
	void **operations = find_operations();

	if (!operations)
		refuse("this QEMU's table of accelerator operations is not that of 10.0 with -icount");
	advance_to_ns(icount_get());
	for_each_vcpu(vcpu)
		vcpu->clock_ps = now_ns() * PS_PER_NS;
	runs_vcpus = true;
	operations[0] = (void *)handle_interrupt;
	operations[1] = operations[3] = (void *)read_clock;
}

/* In how many nanoseconds from now the next timer is due; negative if there is none. */
int64_t next_timer_ns(void)
{
	return qemu_clock_deadline_ns_all(QEMU_CLOCK_VIRTUAL, QEMU_TIMER_ATTR_ALL);
}

bool run_timers(void)
{
	return qemu_clock_run_timers(QEMU_CLOCK_VIRTUAL);
}

/* Run a vCPU until its clock shows `end_ps`, or QEMU returns earlier; return QEMU's reason. */
int run_vcpu(struct vcpu *vcpu, int64_t end_ps)
{
	int64_t instructions = (end_ps - vcpu->clock_ps + vcpu->ps_per_instruction - 1) /
			       vcpu->ps_per_instruction;
	int reason;

	current_cpu = vcpu->cpu;
	counted_before = icount_get_raw();
	running = vcpu;
	bql_unlock();
	icount_prepare_for_run(vcpu->cpu, instructions > 0 ? instructions : 1);
	reason = tcg_cpu_exec(vcpu->cpu);
	icount_process_data(vcpu->cpu);
	bql_lock();
	vcpu->clock_ps += executed_ps();
	running = NULL;
	return reason;
}
