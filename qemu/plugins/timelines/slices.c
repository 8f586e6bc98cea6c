// SPDX-License-Identifier: GPL-2.0-only
/*
 * slices - which vCPU runs next, and until when.
 *
 * The one whose clock is behind all others runs next: until it is a quantum ahead of the
 * next one, a timer is due, it waits, or it wakes another. One that is woken takes the time
 * of whoever woke it. If all are idle, time jumps to the next timer.
 *
 * The host may end a slice at any moment, for its own sake. It then goes on with the same
 * vCPU to the same end: that is what makes a boot independent of the host.
 */
#include <limits.h>
#include <unistd.h>

#include "qemu_internals.h"
#include "timelines.h"

/* Timers that are off lie near INT64_MAX: there is none for a slice, or for an idle guest. */
#define NO_TIMER_FOR_SLICE_NS	1000000000LL
#define NO_TIMER_FOR_IDLE_NS	3600000000000LL
/* A slice while all others are idle; a timer usually ends it. */
#define LONGEST_SLICE_PS	(10000000000LL * PS_PER_NS)
/* So many jumps in a row wake nobody only when the guest is off. */
#define MAX_IDLE_JUMPS		8

struct slice {
	struct vcpu *vcpu;	/* NULL: whose turn it is must be found out */
	int64_t end_ps;
	uint32_t awake;		/* a bit for each vCPU that was awake when it began */
};

/* Find out who is awake; whoever was not takes the time at which it was woken. */
static uint32_t look_around(int64_t woken_at_ps)
{
	uint32_t awake = 0;

	for_each_vcpu(vcpu) {
		bool was_awake = vcpu->awake;

		qemu_wait_io_event_common(vcpu->cpu);
		vcpu->awake = cpu_can_run(vcpu->cpu) && !cpu_thread_is_idle(vcpu->cpu);
		if (!vcpu->awake)
			continue;
		awake |= 1U << (vcpu - timelines.vcpus);
		if (was_awake)
			continue;
		vcpu->waiting = false;
		if (vcpu->clock_ps < woken_at_ps)
			vcpu->clock_ps = woken_at_ps;
	}
	return awake;
}

/* The one awake whose clock is behind all others, but for one; NULL if all others are idle. */
static struct vcpu *find_hindmost(const struct vcpu *but)
{
	struct vcpu *hindmost = NULL;

	for_each_vcpu(vcpu)
		if (vcpu->awake && vcpu != but &&
		    (!hindmost || vcpu->clock_ps < hindmost->clock_ps))
			hindmost = vcpu;
	return hindmost;
}

/* A quantum, or with jitter half to one and a half of it: another interleaving of the guest. */
static int64_t draw_quantum_ps(void)
{
	if (!timelines.jitter)
		return timelines.quantum_ps;
	timelines.jitter = timelines.jitter * 6364136223846793005 + 1442695040888963407;
	return timelines.quantum_ps / 2 +
	       (int64_t)((timelines.jitter >> 20) % (uint64_t)timelines.quantum_ps);
}

/*
 * A quantum ahead of the next one that is busy, but no further than any that waits: it would
 * see what it waits for, a lock's release, before that happens on its own clock, and sections
 * under one lock would overlap.
 */
static int64_t find_end_ps(const struct vcpu *but)
{
	int64_t quantum_ps = draw_quantum_ps(), end_ps = but->clock_ps + LONGEST_SLICE_PS;

	for_each_vcpu(vcpu) {
		int64_t limit_ps = vcpu->clock_ps + (vcpu->waiting ? 0 : quantum_ps);

		if (vcpu->awake && vcpu != but && limit_ps < end_ps)
			end_ps = limit_ps;
	}
	return end_ps;
}

/* Begin a slice; false if timers were due, which may have woken somebody. */
static bool begin_slice(struct slice *slice)
{
	struct vcpu *vcpu = find_hindmost(NULL);

	advance_to_ns(vcpu->clock_ps / PS_PER_NS);
	if (!next_timer_ns()) {
		slice->vcpu = NULL;
		run_timers();
		return false;
	}
	vcpu->waiting = false;
	slice->vcpu = vcpu;
	slice->end_ps = find_end_ps(vcpu);
	return true;
}

/* Let the next in line go first, if there is one; then wait. */
static void wait_behind_others(struct vcpu *vcpu)
{
	const struct vcpu *next = find_hindmost(vcpu);
	int64_t began_ps = vcpu->clock_ps;

	if (next && next->clock_ps > vcpu->clock_ps)
		vcpu->clock_ps = next->clock_ps;
	vcpu->clock_ps += timelines.spin_ps;
	vcpu->waited_ps += vcpu->clock_ps - began_ps;
	vcpu->waiting = true;
}

static void run_slice(struct slice *slice)
{
	/* found out each time, for the vCPU may have set a timer since */
	int64_t timer_ns = next_timer_ns();
	struct vcpu *vcpu = slice->vcpu;

	if (timer_ns > 0 && timer_ns < NO_TIMER_FOR_SLICE_NS) {
		int64_t due_ps = (now_ns() + timer_ns) * PS_PER_NS;

		if (due_ps < slice->end_ps)
			slice->end_ps = due_ps;
	}
	switch (run_vcpu(vcpu, slice->end_ps)) {
	case EXCP_ATOMIC:
		bql_unlock();
		cpu_exec_step_atomic(vcpu->cpu);
		bql_lock();
		break;
	case EXCP_YIELD:
		wait_behind_others(vcpu);
		slice->end_ps = vcpu->clock_ps;
		break;
	}
}

static void let_main_thread_run(useconds_t us)
{
	bql_unlock();
	usleep(us);
	bql_lock();
}

/* Once the guest is off, QEMU's main thread needs the lock to end. */
static void skip_idle_time(int jumps)
{
	int64_t timer_ns = next_timer_ns();

	if (timer_ns >= 0 && timer_ns < NO_TIMER_FOR_IDLE_NS) {
		advance_to_ns(now_ns() + timer_ns);
		run_timers();
	} else {
		jumps = INT_MAX;
	}
	if (jumps > MAX_IDLE_JUMPS)
		let_main_thread_run(100);
}

static bool goes_on(const struct slice *slice, uint32_t awake)
{
	return slice->vcpu && slice->awake == awake && slice->vcpu->clock_ps < slice->end_ps;
}

void take_over(void)
{
	struct slice slice = { 0 };
	int jumps = 0;

	for (;;) {
		uint32_t awake = look_around(slice.vcpu ? slice.vcpu->clock_ps :
							  now_ns() * PS_PER_NS);

		if (!runstate_is_running()) {
			let_main_thread_run(1000);
		} else if (!awake) {
			slice.vcpu = NULL;
			skip_idle_time(++jumps);
		} else if (goes_on(&slice, awake) || begin_slice(&slice)) {
			jumps = 0;
			slice.awake = awake;
			run_slice(&slice);
		}
	}
}
