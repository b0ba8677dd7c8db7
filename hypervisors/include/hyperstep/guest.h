/* SPDX-License-Identifier: MIT */
/*
 * Small helpers for guests: the serial port (the guest's console) and the ways to end. A guest that succeeded ends with
 * CLI and HLT (exit status 0); one that failed writes a code V to the debug-exit port (exit status (V << 1) | 1).
 */
#ifndef HYPERSTEP_GUEST_H
#define HYPERSTEP_GUEST_H

#define COM1 0x3f8
#define DEBUG_EXIT 0xf4

#ifndef __ASSEMBLER__

#include <hyperstep/types.h>

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void serial_putc(char c)
{
	outb(COM1, (u8)c);
}

static inline void serial_puts(const char *s)
{
	while (*s)
		serial_putc(*s++);
}

/* "0x" and the digits, without leading zeros. */
static inline void serial_put_hex(unsigned long value)
{
	int shift = (int)sizeof(value) * 8 - 4;

	serial_puts("0x");
	while (shift > 0 && (value >> shift) == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		serial_putc("0123456789abcdef"[(value >> shift) & 15]);
}

static inline void serial_put_decimal(long value)
{
	char digits[24];
	int n = 0;
	unsigned long rest = value < 0 ? 0UL - (unsigned long)value : (unsigned long)value;

	if (value < 0)
		serial_putc('-');
	do {
		digits[n++] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	while (n)
		serial_putc(digits[--n]);
}

/* This vCPU is finished. The guest is over, with status 0, when all of them are. */
__attribute__((noreturn)) static inline void guest_done(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Ends the whole machine with status (code << 1) | 1. */
__attribute__((noreturn)) static inline void guest_fail(u8 code)
{
	outb(DEBUG_EXIT, code);
	guest_done();
}

#endif
#endif
