/* SPDX-License-Identifier: MIT */
/* Selectors of the host's GDT. */
#ifndef SEGMENT_H
#define SEGMENT_H

#define __KERNEL_CS 0x10
#define __KERNEL_DS 0x18
#define GDT_ENTRY_TSS 8
#define __KERNEL_TSS 0x40

#endif
