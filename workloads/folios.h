/* SPDX-License-Identifier: GPL-2.0-only */
/* folios - large ones, of 64 KiB, and whether they went to swap whole. */
#ifndef FOLIOS_H
#define FOLIOS_H

/* Have the system give folios of 64 KiB; or say that the kernel has none. */
void prepare_large_folios(void);

/* How many went to swap whole; says that it cannot be tested if none did. */
long large_folios_swapped(void);

#endif
