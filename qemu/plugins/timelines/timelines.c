// SPDX-License-Identifier: GPL-2.0-only
/*
 * timelines - vCPUs whose times overlap, in one thread, exact to the instruction.
 *
 *   -accel tcg,thread=single -icount shift=0,sleep=off
 *   -plugin timelines.so,quantum=NS,spin=NS,ps=PS:PS:...,jitter=NUMBER
 *
 * QEMU's own loop gives all vCPUs one clock, on which their instructions add up. Here each
 * has a clock of its own, `ps` picoseconds an instruction, as clocks.c says, and takes its
 * turn as slices.c says. Nothing depends on the host's time.
 *
 * What QEMU's interface for plugins has for controlling time has no effect with TCG in 10.0.
 * So this takes over the thread in which the vCPUs run and uses QEMU's own functions. It
 * must do so or end QEMU: it prints a line when it has, and the host refuses a boot without.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"
#include "qemu_internals.h"
#include "timelines.h"

/* With shift=0 QEMU ends a slice at a timer's nanoseconds as if they were instructions. */
#define MIN_PS_PER_INSTRUCTION	1000

struct timelines timelines;

EXPORT int qemu_plugin_version = PLUGIN_API;

void refuse(const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "timelines: refused: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	_Exit(EXIT_FAILURE);
}

/* Runs in the thread of the vCPUs with QEMU's lock held, and does not return. */
static void start(struct cpu *unused, uintptr_t unused_data)
{
	int vcpus = qemu_plugin_num_vcpus();

	(void)unused;
	(void)unused_data;
	if (vcpus != timelines.count)
		refuse("%d vCPUs, and ps= has %d", vcpus, timelines.count);
	for (int i = 0; i < vcpus; i++)
		timelines.vcpus[i].cpu = qemu_get_cpu(i);
	take_clocks();
	fprintf(stderr, "timelines: %d clocks\n", vcpus);
	take_over();
}

/*
 * For a plugin that counts beside this one: which vCPU runs, as QEMU tells it only for which the
 * code was translated, and how long each has waited. It cannot ask for the time, for a clock that
 * is read moves what others are shown.
 */
EXPORT int timelines_vcpu(void)
{
	for_each_vcpu(vcpu)
		if (vcpu->cpu == current_cpu)
			return vcpu - timelines.vcpus;
	return -1;
}

EXPORT int64_t timelines_waited_ps(int vcpu)
{
	return timelines.vcpus[vcpu].waited_ps;
}

/* The first translation is the first thing that happens in the thread of the vCPUs. */
static void on_translation(uint64_t id, struct qemu_plugin_tb *tb)
{
	static bool started;

	(void)id;
	(void)tb;
	if (!started)
		async_run_on_cpu(qemu_get_cpu(0), start, 0);
	started = true;
}

static void read_speeds(const char *list)
{
	char *end;

	for (timelines.count = 0;; list = end + 1) {
		if (timelines.count == MAX_VCPUS)
			refuse("more vCPUs than the %d that were tried", MAX_VCPUS);
		timelines.vcpus[timelines.count].ps_per_instruction = strtoll(list, &end, 10);
		if (timelines.vcpus[timelines.count++].ps_per_instruction < MIN_PS_PER_INSTRUCTION)
			refuse("ps=: an instruction takes %d ps or more", MIN_PS_PER_INSTRUCTION);
		if (!*end)
			return;
		if (*end != ':')
			refuse("ps= is a list of numbers: %s", list);
	}
}

static bool read_argument(const char *argument)
{
	const char *value = strchr(argument, '=');
	size_t length = value ? (size_t)(value++ - argument) : 0;

	if (length == 7 && !strncmp(argument, "quantum", length))
		timelines.quantum_ps = atoll(value) * PS_PER_NS;
	else if (length == 4 && !strncmp(argument, "spin", length))
		timelines.spin_ps = atoll(value) * PS_PER_NS;
	else if (length == 6 && !strncmp(argument, "jitter", length))
		timelines.jitter = strtoull(value, NULL, 10) * 0x9e3779b97f4a7c15;
	else if (length == 2 && !strncmp(argument, "ps", length))
		read_speeds(value);
	else
		return false;
	return true;
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	if (!info->system_emulation)
		refuse("only for a whole system");
	for (int i = 0; i < argc; i++)
		if (!read_argument(argv[i]))
			refuse("no such argument: %s", argv[i]);
	if (!timelines.count || timelines.quantum_ps <= 0 || timelines.spin_ps <= 0)
		refuse("needs quantum=NS, spin=NS and ps=PS:PS:...");
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	return 0;
}
