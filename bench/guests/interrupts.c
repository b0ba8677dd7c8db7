/* SPDX-License-Identifier: MIT */
/* INT n through an interrupt gate and IRET back. */
#include "guest.h"

#define VECTOR 0x40
#define COUNT 20000

static word taken;

__attribute__((naked)) static void handler(void)
{
#ifdef __x86_64__
	__asm__("incq taken(%rip); iretq");
#else
	__asm__("incl taken; iret");
#endif
}

void prepare(void)
{
	set_interrupt_gate(VECTOR, handler);
}

word round(word number)
{
	taken = 0;
	for (word left = COUNT; left != 0; left--)
		__asm__ volatile("int %0" : : "i"(VECTOR) : "memory");
	return taken * 31 + number;
}
