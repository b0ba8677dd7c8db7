/* SPDX-License-Identifier: MIT */
#include "guest.h"

#define INTERRUPT_GATE 0x8e00
#ifdef __x86_64__
#define CODE_SELECTOR 0x18
#else
#define CODE_SELECTOR 0x08
#endif

/* A gate descriptor (SDM 3A 6.11, 6.14.1). */
struct gate {
	u16 offset_low;
	u16 selector;
	u16 attributes;
	u16 offset_middle;
#ifdef __x86_64__
	u32 offset_high;
	u32 reserved;
#endif
};

extern struct gate idt[256];

void set_interrupt_gate(unsigned int vector, void (*handler)(void))
{
	word offset = (word)handler;
	struct gate *gate = &idt[vector];

	gate->offset_low = (u16)offset;
	gate->selector = CODE_SELECTOR;
	gate->attributes = INTERRUPT_GATE;
	gate->offset_middle = (u16)(offset >> 16);
#ifdef __x86_64__
	gate->offset_high = (u32)(offset >> 32);
	gate->reserved = 0;
#endif
}
