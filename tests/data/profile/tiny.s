// SPDX-License-Identifier: GPL-2.0-only
// tiny.elf, in place of a vmlinux: two functions, an alias, a part, data, no more. Made with
//   aarch64-linux-gnu-gcc -nostdlib -static -Wl,--build-id=none,-Ttext=0x80010000,-N tiny.s
	.text
	.globl	__pi_first, first, second, vectors
	.type	__pi_first, %function
	.type	first, %function
__pi_first:
first:	mov	x0, x1
	ret
	.size	first, . - first
	.size	__pi_first, . - first
	nop
	.type	second.part.0, %function
second.part.0:
	mov	x0, x2
	ret
	.size	second.part.0, . - second.part.0
vectors:
	b	vectors
	.data
value:	.quad	1
