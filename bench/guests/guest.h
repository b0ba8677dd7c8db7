/* SPDX-License-Identifier: MIT */
/*
 * What a benchmark guest is made of. It prints one line a round: eight hexadecimal digits of a checksum that every peer
 * must agree on. The harness takes the time between lines, so that nothing before the first one counts.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
/* As wide as a register. */
typedef unsigned long word;

/* RAM that belongs to the guest's rounds: 32 MiB, zero at reset, above the image. */
#define WORKSPACE 0x1000000UL
/* Another 16 MiB for tables. */
#define WORKSPACE_TABLES 0x3000000UL

#define DEBUG_EXIT 0xf4
#define COM1 0x3f8

/* Once, before the first round. */
void prepare(void);
/* One round; the result is folded to 32 bits and printed. */
word round(word number);

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* Gate descriptors of vectors 0x00-0xff; `handler` ends in IRET. */
void set_interrupt_gate(unsigned int vector, void (*handler)(void));

#endif
