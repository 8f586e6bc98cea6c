/* SPDX-License-Identifier: GPL-2.0-only */
/* timelines - what its files share: the vCPUs, their clocks, whose slice it is. */
#ifndef TIMELINES_H
#define TIMELINES_H

#include <stdbool.h>
#include <stdint.h>

#define MAX_VCPUS	8	/* as many as were validated, see docs/machines.md */
#define PS_PER_NS	1000LL

struct cpu;			/* QEMU's CPUState */

struct vcpu {
	struct cpu *cpu;
	int64_t clock_ps;
	int64_t ps_per_instruction;
	int64_t waited_ps;	/* with WFE and YIELD, in all */
	bool awake;
	bool waiting;		/* gave up its slice with WFE or YIELD */
};

struct timelines {
	struct vcpu vcpus[MAX_VCPUS];
	int count;
	int64_t quantum_ps;	/* how far a busy vCPU may run ahead of the others */
	int64_t spin_ps;	/* how long WFE and YIELD wait */
	uint64_t jitter;	/* varies the quanta from slice to slice; 0: they are all alike */
};

extern struct timelines timelines;

#define for_each_vcpu(vcpu) \
	for (struct vcpu *vcpu = timelines.vcpus; vcpu < timelines.vcpus + timelines.count; vcpu++)

/* End QEMU with a message; the host looks for its first words. */
void refuse(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* clocks.c: the guest's time. Call them with QEMU's lock held. */
void take_clocks(void);
int64_t now_ns(void);
void advance_to_ns(int64_t ns);
int64_t next_timer_ns(void);
bool run_timers(void);
int run_vcpu(struct vcpu *vcpu, int64_t end_ps);

/* slices.c: whose turn it is. */
void take_over(void);

#endif
