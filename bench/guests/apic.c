/* SPDX-License-Identifier: MIT */
/* The local APIC interrupts its own processor (SDM 3A 11.6.1); the handler says EOI. */
#include "guest.h"

#define VECTOR 0x41
#define COUNT 10000

#define APIC 0xfee00000UL
#define APIC_EOI 0x0b0
#define APIC_SVR 0x0f0
#define APIC_ICR_LOW 0x300
#define SVR_ENABLE 0x100
#define ICR_SELF 0x40000

static volatile word taken;

static void apic_write(word offset, u32 value)
{
	*(volatile u32 *)(APIC + offset) = value;
}

__attribute__((used)) static void acknowledge(void)
{
	taken++;
	apic_write(APIC_EOI, 0);
}

__attribute__((naked)) static void handler(void)
{
#ifdef __x86_64__
	__asm__("push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9; push %r10; push %r11\n"
		"cld; call acknowledge\n"
		"pop %r11; pop %r10; pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax; iretq");
#else
	__asm__("pusha; cld; call acknowledge; popa; iret");
#endif
}

void prepare(void)
{
	set_interrupt_gate(VECTOR, handler);
	apic_write(APIC_SVR, SVR_ENABLE | 0xff);
	__asm__ volatile("sti");
}

word round(word number)
{
	taken = 0;
	for (word sent = 1; sent <= COUNT; sent++) {
		apic_write(APIC_ICR_LOW, ICR_SELF | VECTOR);
		while (taken != sent)
			;
	}
	return taken * 31 + number;
}
