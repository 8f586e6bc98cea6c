/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * qemu_plugin.h - the part of QEMU's plugin interface that is used here.
 *
 * Written down from the interface's documentation, because Debian ships QEMU
 * without its header. It is version 4, that of QEMU 10.0; QEMU refuses to load a
 * plugin of a version that it does not speak. The two arrays are GLib's.
 */
#ifndef QEMU_PLUGIN_H
#define QEMU_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLUGIN_API	4
#define EXPORT		__attribute__((visibility("default")))

struct qemu_info {
	const char *target_name;
	struct {
		int min;
		int cur;
	} version;
	bool system_emulation;
	struct {
		int smp_vcpus;
		int max_vcpus;
	} system;
};

struct byte_array {
	uint8_t *data;
	unsigned int len;
};

struct array {
	char *data;
	unsigned int len;
};

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;

struct qemu_plugin_reg_descriptor {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
};

enum qemu_plugin_cb_flags { CB_NO_REGS, CB_R_REGS };

typedef void vcpu_simple_cb(uint64_t id, unsigned int vcpu);
typedef void vcpu_udata_cb(unsigned int vcpu, void *userdata);
typedef void tb_trans_cb(uint64_t id, struct qemu_plugin_tb *tb);
typedef void udata_cb(uint64_t id, void *userdata);

void qemu_plugin_register_vcpu_init_cb(uint64_t id, vcpu_simple_cb *cb);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, tb_trans_cb *cb);
void qemu_plugin_register_atexit_cb(uint64_t id, udata_cb *cb, void *userdata);

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, vcpu_udata_cb *cb,
					  enum qemu_plugin_cb_flags flags, void *userdata);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_udata_cb *cb,
					    enum qemu_plugin_cb_flags flags, void *userdata);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *data, size_t size);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

struct array *qemu_plugin_get_registers(void);
int qemu_plugin_read_register(struct qemu_plugin_register *handle, struct byte_array *value);
bool qemu_plugin_read_memory_vaddr(uint64_t address, struct byte_array *data, size_t size);

struct byte_array *g_byte_array_new(void);
struct byte_array *g_byte_array_set_size(struct byte_array *array, unsigned int size);

#endif
