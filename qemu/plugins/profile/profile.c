// SPDX-License-Identifier: GPL-2.0-only
/*
 * profile - count a guest's instructions on each vCPU and sample its kernel's call stacks.
 *
 *   -plugin profile.so,out=FILE,every=INSTRUCTIONS[,timelines=FILE][,whole=1]
 *
 * Only what runs between the workload's two marks is told (`hint` instructions
 * that no CPU gives a meaning, see workloads/harness.h); with `whole`, which is for
 * programs without marks, all since user space began. The counts are exact:
 * a translation block may be left in its middle, but only by an instruction that
 * touches memory or the system, so it is counted as runs that end in one of
 * these. An instruction that faults and is then repeated has begun twice and
 * counts twice. A stack is taken about every so many instructions; the distances
 * are drawn from a fixed sequence, so that a loop cannot keep step with them and
 * the same boot gives the same samples. With the plugin timelines, which must be loaded
 * before, each stack that waits (WFE, YIELD) is told with how long it waited: exactly.
 *
 * What an address means is for whoever reads the file to say. Its lines:
 *
 *   patchbench-profile 2
 *   every INSTRUCTIONS | marks PASSED | vbar ADDRESS | vcpus NUMBER
 *   run ADDRESS INSTRUCTIONS FIRST-WORD COUNT ...       one for each vCPU
 *   stack VCPU SAMPLES WAITED-PS PC LINK-REGISTER RETURN-ADDRESS ...   innermost first
 *   end ok
 *
 * Nothing here changes what the guest sees. It counts with callbacks, because
 * QEMU 10.0 aborts with its own inline counters where several vCPUs share one
 * thread; and in that one thread only (-accel tcg,thread=single).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_plugin.h"

#define MARK_BEGIN	0xd5032e1f	/* hint #112 */
#define MARK_END	0xd5032e3f	/* hint #113 */
#define YIELD		0xd503203f
#define WFE		0xd503205f
#define MAX_VCPUS	8
#define MAX_RUNS	(1U << 19)	/* a boot with a storm has 150,000 */
#define MAX_STACKS	(1U << 19)
#define MAX_FRAMES	64
#define KERNEL		(1ULL << 63)

EXPORT int qemu_plugin_version = PLUGIN_API;

/* ---- tables of short rows of words ---------------------------------------- */

struct table {
	const char *full;	/* what to say when it is */
	uint32_t capacity, used, *buckets;
	uint64_t **rows;	/* each begins with the number of words that follow */
};

/* A run's row; the last word is the length of the block that it begins, or 0. */
enum { PLACE, LENGTH, FIRST, BLOCK, RUN_WORDS };

static struct table runs = { .full = "too many runs", .capacity = MAX_RUNS };
static struct table stacks = { .full = "too many stacks", .capacity = MAX_STACKS };
static uint64_t stack_samples[MAX_STACKS], stack_waited_ps[MAX_STACKS];
static bool broken;

static void complain(const char *what)
{
	if (!broken)
		fprintf(stderr, "profile: %s\n", what);
	broken = true;
}

static bool make_table(struct table *table)
{
	table->buckets = calloc(2 * table->capacity, sizeof(*table->buckets));
	table->rows = calloc(table->capacity, sizeof(*table->rows));
	if (!table->buckets || !table->rows)
		return false;
	table->rows[0] = calloc(1 + RUN_WORDS, sizeof(**table->rows));
	return table->rows[0];
}

/* Return a row's number, adding it if it is new; 0, an empty row, if there is no room. */
static uint32_t intern(struct table *table, const uint64_t *words, size_t length)
{
	size_t size = length * sizeof(*words);
	uint64_t hash = length;
	uint64_t *row;
	uint32_t place;

	for (size_t i = 0; i < length; i++)
		hash = ((hash ^ words[i]) * 0x9e3779b97f4a7c15) ^ (hash >> 29);
	place = (hash >> 32) % (2 * table->capacity);
	for (; table->buckets[place]; place = (place + 1) % (2 * table->capacity)) {
		row = table->rows[table->buckets[place]];
		if (row[0] == length && !memcmp(row + 1, words, size))
			return table->buckets[place];
	}
	row = table->used + 1 < table->capacity ? malloc(sizeof(*row) + size) : NULL;
	if (!row) {
		complain(table->full);
		return 0;
	}
	row[0] = length;
	memcpy(row + 1, words, size);
	table->rows[++table->used] = row;
	return table->buckets[place] = table->used;
}

/* ---- what is counted ------------------------------------------------------- */

/* how often each vCPU began each run between the marks */
static uint64_t began[MAX_VCPUS][MAX_RUNS];
static bool counting;			/* between the marks */
static bool whole;			/* which lie at the ends of user space */
static int64_t left;			/* instructions until the next sample */
static uint64_t every, dice, marks, vbar = UINT64_MAX;
static const char *path;
static int vcpus;

/* What timelines tells; without it there is one vCPU, which has nobody to wait for. */
static int (*running_vcpu)(void);
static int64_t (*waited_ps)(int vcpu);

/* The stack with which a vCPU waits, or 0, and how long it had waited before. */
static struct {
	uint32_t stack;
	int64_t before_ps;
} waits[MAX_VCPUS];

static int vcpu_now(void)
{
	return running_vcpu ? running_vcpu() : 0;
}

/* Set the next sample between half and one and a half times `every` from now. */
static void wind(void)
{
	dice = dice * 6364136223846793005 + 1442695040888963407;
	left += every / 2 + (dice >> 33) % every;
}

/* ---- guest state ----------------------------------------------------------- */

static struct qemu_plugin_register *fp_register, *link_register, *vbar_register;
static struct byte_array *bytes;

static void find_registers(uint64_t id, unsigned int vcpu)
{
	struct array *array = qemu_plugin_get_registers();
	struct qemu_plugin_reg_descriptor *known = (void *)array->data;

	(void)id;
	(void)vcpu;
	for (unsigned int i = 0; i < array->len; i++) {
		if (!strcmp(known[i].name, "x29"))
			fp_register = known[i].handle;
		else if (!strcmp(known[i].name, "x30"))
			link_register = known[i].handle;
		else if (!strcmp(known[i].name, "VBAR"))
			vbar_register = known[i].handle;
	}
	if (!fp_register || !link_register || !vbar_register)
		complain("this QEMU does not show x29, x30 and VBAR");
}

static uint64_t read_register(struct qemu_plugin_register *handle)
{
	uint64_t value = 0;

	g_byte_array_set_size(bytes, 0);
	if (qemu_plugin_read_register(handle, bytes) == sizeof(value))
		memcpy(&value, bytes->data, sizeof(value));
	else
		complain("cannot read a register");
	return value;
}

static bool read_words(uint64_t address, uint64_t *words, size_t length)
{
	size_t size = length * sizeof(*words);

	if (!qemu_plugin_read_memory_vaddr(address, bytes, size))
		return false;
	memcpy(words, bytes->data, size);
	return true;
}

/*
 * Follow the kernel's frame records: the caller's frame, the return address. At an
 * interrupted place kernels up to 6.13 have a record like any other. Later ones have
 * an empty record, followed by its kind: 2 if it ends a struct pt_regs, whose x29 and
 * pc lie 64 and 40 bytes before it. What is interrupted is told as if it had called.
 */
static size_t walk(uint64_t *frames, uint64_t frame)
{
	size_t length = 0;
	uint64_t record[3], interrupted[4];

	while ((frame & KERNEL) && !(frame & 7) && length < MAX_FRAMES) {
		if (!read_words(frame, record, 3))
			break;
		if (record[1]) {
			frame = record[0];
			frames[length++] = record[1];
		} else if (record[2] == 2 && read_words(frame - 64, interrupted, 4)) {
			frame = interrupted[0];
			frames[length++] = interrupted[3] + 4;
		} else {
			break;
		}
	}
	return length;
}

static uint32_t take_stack(int vcpu, uint64_t place)
{
	uint64_t stack[3 + MAX_FRAMES] = { vcpu, place };
	size_t length = 2;

	if (place & KERNEL) {
		/* near user space it points to a trampoline, which is above all else */
		uint64_t vectors = read_register(vbar_register);

		if (vectors < vbar)
			vbar = vectors;
		stack[2] = read_register(link_register);
		length = 3 + walk(stack + 3, read_register(fp_register));
	}
	return intern(&stacks, stack, length);
}

/* ---- waiting --------------------------------------------------------------- */

/* A wait's length is known once it is over, when the vCPU goes on. */
static void end_wait(int vcpu)
{
	stack_waited_ps[waits[vcpu].stack] += waited_ps(vcpu) - waits[vcpu].before_ps;
	waits[vcpu].stack = 0;
}

static void begin_wait(unsigned int unused, void *place)
{
	int vcpu = vcpu_now();

	(void)unused;
	if (!counting)
		return;
	if (waits[vcpu].stack)
		end_wait(vcpu);
	waits[vcpu].stack = take_stack(vcpu, (uintptr_t)place);
	waits[vcpu].before_ps = waited_ps(vcpu);
}

/* ---- marks ----------------------------------------------------------------- */

static void begin(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	marks++;
	if (counting)
		complain("the workload began twice");
	counting = true;
	left = 0;
	wind();
}

static void end(unsigned int vcpu, void *unused)
{
	(void)vcpu;
	(void)unused;
	marks++;
	if (!counting)
		complain("the workload ended before it began");
	counting = false;
	for (int i = 0; i < vcpus; i++)
		if (waits[i].stack)
			end_wait(i);
}

/* ---- translation ----------------------------------------------------------- */

static uint32_t word_of(const struct qemu_plugin_insn *insn)
{
	uint32_t word = 0;

	qemu_plugin_insn_data(insn, &word, sizeof(word));
	return word;
}

/* Loads and stores, SVE and SME, system instructions other than hints; the marks. */
static bool ends_run(uint32_t word)
{
	uint32_t group = word >> 25 & 15;

	if (word == MARK_BEGIN || word == MARK_END)
		return true;
	return (group & 5) == 4 || group == 0 || group == 2 ||
	       ((word & 0xffc00000) == 0xd5000000 && (word & 0xfffff01f) != 0xd503201f);
}

static void *intern_run(struct qemu_plugin_insn *first, size_t length, size_t block)
{
	uint64_t row[RUN_WORDS] = {
		[PLACE] = qemu_plugin_insn_vaddr(first),
		[LENGTH] = length,
		[FIRST] = word_of(first),
		[BLOCK] = block,
	};

	return (void *)(uintptr_t)intern(&runs, row, RUN_WORDS);
}

/* QEMU's number is that of the vCPU for which it translated the block: of no use here. */
static void pass(unsigned int unused, void *run)
{
	(void)unused;
	if (counting)
		began[vcpu_now()][(uintptr_t)run]++;
}

/* At the start of a block every register is in its place. */
static void enter(unsigned int unused, void *run)
{
	const uint64_t *row = runs.rows[(uintptr_t)run] + 1;
	int vcpu = vcpu_now();

	(void)unused;
	if (whole && !counting && !(row[PLACE] & KERNEL))
		begin(vcpu, NULL);
	if (!counting)
		return;
	began[vcpu][(uintptr_t)run]++;
	if (waits[vcpu].stack)
		end_wait(vcpu);
	if ((left -= row[BLOCK]) <= 0) {
		stack_samples[take_stack(vcpu, row[PLACE])]++;
		wind();
	}
}

static void translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t length = qemu_plugin_tb_n_insns(tb), start = 0;
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	bool in_user = !(qemu_plugin_insn_vaddr(first) & KERNEL);

	(void)id;
	for (size_t i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t word = word_of(insn);

		if (in_user && !whole && (word == MARK_BEGIN || word == MARK_END))
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, word == MARK_BEGIN ? begin : end, CB_NO_REGS, NULL);
		if (waited_ps && (word == WFE || word == YIELD))
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, begin_wait, CB_R_REGS,
				(void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
		if (i + 1 < length && !ends_run(word))
			continue;
		if (!start)
			qemu_plugin_register_vcpu_tb_exec_cb(tb, enter, CB_R_REGS,
							     intern_run(first, i + 1, length));
		else
			qemu_plugin_register_vcpu_insn_exec_cb(first, pass, CB_NO_REGS,
							       intern_run(first, i + 1 - start, 0));
		start = i + 1;
		first = start < length ? qemu_plugin_tb_get_insn(tb, start) : NULL;
	}
}

/* ---- the file -------------------------------------------------------------- */

static bool was_begun(uint32_t run)
{
	for (int i = 0; i < vcpus; i++)
		if (began[i][run])
			return true;
	return false;
}

static void write_run(FILE *file, uint32_t run)
{
	const uint64_t *row = runs.rows[run] + 1;

	fprintf(file, "run %llx %llu %08llx", (unsigned long long)row[PLACE],
		(unsigned long long)row[LENGTH], (unsigned long long)row[FIRST]);
	for (int i = 0; i < vcpus; i++)
		fprintf(file, " %llu", (unsigned long long)began[i][run]);
	fputc('\n', file);
}

static void write_stack(FILE *file, uint32_t stack)
{
	const uint64_t *row = stacks.rows[stack];

	fprintf(file, "stack %llu %llu %llu", (unsigned long long)row[1],
		(unsigned long long)stack_samples[stack],
		(unsigned long long)stack_waited_ps[stack]);
	for (uint64_t i = 2; i <= row[0]; i++)
		fprintf(file, " %llx", (unsigned long long)row[i]);
	fputc('\n', file);
}

static void write_file(uint64_t id, void *unused)
{
	FILE *file = fopen(path, "w");

	(void)id;
	(void)unused;
	if (!file) {
		perror(path);
		return;
	}
	if (whole)
		end(0, NULL);
	fprintf(file, "patchbench-profile 2\nevery %llu\nmarks %llu\nvbar %llx\nvcpus %d\n",
		(unsigned long long)every, (unsigned long long)marks, (unsigned long long)vbar,
		vcpus);
	for (uint32_t run = 1; run <= runs.used; run++)
		if (was_begun(run))
			write_run(file, run);
	for (uint32_t stack = 1; stack <= stacks.used; stack++)
		write_stack(file, stack);
	if (!broken)
		fprintf(file, "end ok\n");
	if (fclose(file))
		perror(path);
}

static bool find_timelines(const char *plugin)
{
	void *loaded = dlopen(plugin, RTLD_NOW | RTLD_NOLOAD);

	if (!loaded)
		return false;
	running_vcpu = (int (*)(void))dlsym(loaded, "timelines_vcpu");
	waited_ps = (int64_t (*)(int))dlsym(loaded, "timelines_waited_ps");
	return running_vcpu && waited_ps;
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	if (!info->system_emulation || strcmp(info->target_name, "aarch64")) {
		fprintf(stderr, "profile: only for a whole aarch64 system\n");
		return -1;
	}
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			path = argv[i] + 4;
		else if (!strncmp(argv[i], "every=", 6))
			every = strtoull(argv[i] + 6, NULL, 10);
		else if (!strcmp(argv[i], "whole=1"))
			whole = true;
		else if (!strncmp(argv[i], "timelines=", 10) && !find_timelines(argv[i] + 10)) {
			fprintf(stderr, "profile: %s is not loaded, or another\n", argv[i] + 10);
			return -1;
		}
	}
	vcpus = info->system.smp_vcpus;
	if (vcpus > (running_vcpu ? MAX_VCPUS : 1)) {
		fprintf(stderr, "profile: more than one vCPU, up to %d, only with timelines\n",
			MAX_VCPUS);
		return -1;
	}
	if (!path || !every) {
		fprintf(stderr, "profile: needs out=FILE and every=INSTRUCTIONS\n");
		return -1;
	}
	bytes = g_byte_array_new();
	if (!make_table(&runs) || !make_table(&stacks)) {
		fprintf(stderr, "profile: out of memory\n");
		return -1;
	}
	qemu_plugin_register_vcpu_init_cb(id, find_registers);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, write_file, NULL);
	return 0;
}
