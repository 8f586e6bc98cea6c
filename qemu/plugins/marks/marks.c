// SPDX-License-Identifier: GPL-2.0-only
/*
 * marks - say what disturbed a boot on a noisy machine between the workload's two marks.
 *
 *   -plugin marks.so
 *
 * Where each vCPU has a host thread of its own, the host's scheduler is part of every time. A
 * boot takes seconds and what is measured a tenth of one, so the boot's own share of waiting
 * says little. This prints, at the second mark (workloads/harness.h):
 *
 *   marks: wall NS steal NS delay NS NS ...      a delay for each vCPU
 *
 * delay: how long its thread was runnable and did not run, by /proc/self/task/TID/schedstat;
 * steal: what a hypervisor below took from all CPUs, by /proc/stat, in ticks of 10 ms.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "qemu_plugin.h"

#define MARK_BEGIN	0xd5032e1f	/* hint #112 */
#define MARK_END	0xd5032e3f	/* hint #113 */
#define KERNEL		(1ULL << 63)
#define MAX_VCPUS	64

EXPORT int qemu_plugin_version = PLUGIN_API;

struct reading {
	long long wall_ns, steal_ns, delay_ns[MAX_VCPUS];
};

static pid_t threads[MAX_VCPUS];
static unsigned int vcpus;
static struct reading at_begin;
static bool begun;

/* Runs in the vCPU's own thread. */
static void remember_thread(uint64_t id, unsigned int vcpu)
{
	(void)id;
	if (vcpu >= MAX_VCPUS)
		return;
	threads[vcpu] = gettid();
	if (vcpu >= vcpus)
		vcpus = vcpu + 1;
}

/* -1 where the host does not tell. */
static long long read_delay_ns(pid_t thread)
{
	char path[64];
	long long ran_ns, delay_ns = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", thread);
	file = fopen(path, "r");
	if (!file)
		return -1;
	if (fscanf(file, "%lld %lld", &ran_ns, &delay_ns) != 2)
		delay_ns = -1;
	fclose(file);
	return delay_ns;
}

static long long read_steal_ns(void)
{
	FILE *file = fopen("/proc/stat", "r");
	long long ticks = 0;

	if (!file)
		return 0;
	/* user nice system idle iowait irq softirq steal */
	if (fscanf(file, "cpu %*d %*d %*d %*d %*d %*d %*d %lld", &ticks) != 1)
		ticks = 0;
	fclose(file);
	return ticks * (1000000000LL / sysconf(_SC_CLK_TCK));
}

static void take(struct reading *now)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	now->wall_ns = time.tv_sec * 1000000000LL + time.tv_nsec;
	now->steal_ns = read_steal_ns();
	for (unsigned int i = 0; i < vcpus; i++)
		now->delay_ns[i] = read_delay_ns(threads[i]);
}

static void begin(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	take(&at_begin);
	begun = true;
}

static void end(unsigned int vcpu, void *unused)
{
	struct reading now;

	(void)vcpu;
	(void)unused;
	if (!begun)
		return;
	take(&now);
	fprintf(stderr, "marks: wall %lld steal %lld delay", now.wall_ns - at_begin.wall_ns,
		now.steal_ns - at_begin.steal_ns);
	for (unsigned int i = 0; i < vcpus; i++)
		fprintf(stderr, " %lld",
			now.delay_ns[i] < 0 ? -1 : now.delay_ns[i] - at_begin.delay_ns[i]);
	fputc('\n', stderr);
	begun = false;
}

static void translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	(void)id;
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t word = 0;

		if (qemu_plugin_insn_vaddr(insn) & KERNEL)
			return;
		qemu_plugin_insn_data(insn, &word, sizeof(word));
		if (word == MARK_BEGIN || word == MARK_END)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, word == MARK_BEGIN ? begin : end, CB_NO_REGS, NULL);
	}
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (!info->system_emulation || strcmp(info->target_name, "aarch64")) {
		fprintf(stderr, "marks: only for a whole aarch64 system\n");
		return -1;
	}
	qemu_plugin_register_vcpu_init_cb(id, remember_thread);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
