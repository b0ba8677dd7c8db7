// SPDX-License-Identifier: MIT
/* Interrupts and exceptions of the host itself. */
#include "kernel.h"
#include "processor.h"
#include "sched.h"
#include "segment.h"

#define NR_VECTORS 256
#define STUB_SIZE 16
#define GATE_INTERRUPT 0x8e /* present, DPL 0, 64-bit interrupt gate */
#define IST_DOUBLE_FAULT 1

struct gate_desc {
	u16 offset_low;
	u16 segment;
	u8 ist;
	u8 type;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
};

static struct gate_desc idt_table[NR_VECTORS] __aligned(16);
struct desc_ptr idt_descr = { sizeof(idt_table) - 1, (unsigned long)idt_table };

extern const u8 idt_stubs[];

void idt_init(void)
{
	for (int vector = 0; vector < NR_VECTORS; vector++) {
		unsigned long entry = (unsigned long)idt_stubs + (unsigned long)vector * STUB_SIZE;

		idt_table[vector] = (struct gate_desc){
			.offset_low = (u16)entry,
			.segment = __KERNEL_CS,
			.ist = vector == DF_VECTOR ? IST_DOUBLE_FAULT : 0,
			.type = GATE_INTERRUPT,
			.offset_middle = (u16)(entry >> 16),
			.offset_high = (u32)(entry >> 32),
		};
	}
	__asm__ volatile("lidt %0" : : "m"(idt_descr));
}

/* External interrupts, whether they came through the IDT or ended the guest's time by a VM exit. */
void handle_irq_vector(u8 vector)
{
	if (vector == SPURIOUS_APIC_VECTOR)
		return; /* needs no EOI */
	apic_eoi();
	if (vector == LOCAL_TIMER_VECTOR)
		scheduler_tick();
	else
		printk("unexpected interrupt, vector %#x\n", vector);
}

void do_interrupt(struct pt_regs *regs)
{
	if (regs->vector >= 32) {
		handle_irq_vector((u8)regs->vector);
		return;
	}
	panic("exception %lu in the host, error code %#lx, rip %#lx, rsp %#lx, cr2 %#lx\n"
	      "  rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx",
	      regs->vector, regs->error_code, regs->rip, regs->rsp, read_cr2(), regs->rax, regs->rbx, regs->rcx,
	      regs->rdx, regs->rsi, regs->rdi, regs->rbp);
}
