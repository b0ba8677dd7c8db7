/* SPDX-License-Identifier: MIT */
/* OUT and IN: the scratch register of the first serial port. */
#include "guest.h"

#define SCRATCH (COM1 + 7)
#define COUNT 10000

void prepare(void)
{
}

word round(word number)
{
	word sum = number;

	for (word i = 0; i < COUNT; i++) {
		out8(SCRATCH, (u8)i);
		sum = sum * 31 + in8(SCRATCH);
	}
	return sum;
}
