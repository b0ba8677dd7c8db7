/* SPDX-License-Identifier: MIT */
#include "guest.h"

#define ROUNDS 1000000

#define LINE_STATUS (COM1 + 5)
#define LINE_CONTROL (COM1 + 3)
#define TRANSMITTER_EMPTY 0x20
#define DIVISOR_LATCH 0x80
#define EIGHT_BITS 0x03

static void open_serial_line(void)
{
	out8(LINE_CONTROL, DIVISOR_LATCH | EIGHT_BITS);
	out8(COM1, 1); /* 115200 baud */
	out8(COM1 + 1, 0);
	out8(LINE_CONTROL, EIGHT_BITS);
}

static void put(char character)
{
	while (!(in8(LINE_STATUS) & TRANSMITTER_EMPTY))
		;
	out8(COM1, (u8)character);
}

static void print_line(u32 value)
{
	for (int shift = 28; shift >= 0; shift -= 4)
		put("0123456789abcdef"[(value >> shift) & 15]);
	put('\n');
}

void main(void)
{
	open_serial_line();
	prepare();
	for (word number = 0; number < ROUNDS; number++) {
		u64 result = round(number);

		print_line((u32)(result ^ (result >> 32)));
	}
	out8(DEBUG_EXIT, 0);
}
