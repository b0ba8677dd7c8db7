// SPDX-License-Identifier: MIT
/* The processor's tables: TSS and IDT; head_64.S brought the GDT and the page tables. */
#include "kernel.h"
#include "processor.h"
#include "segment.h"

#define TSS_AVAILABLE 0x89
#define EXCEPTION_STACK_SIZE 8192

struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map_base;
} __attribute__((packed));

struct tss cpu_tss = { .io_map_base = sizeof(struct tss) };
static u8 double_fault_stack[EXCEPTION_STACK_SIZE] __aligned(16);

extern u64 gdt_table[];
extern u64 init_top_pgt[];

static void load_tss(void)
{
	u64 base = (unsigned long)&cpu_tss;

	cpu_tss.ist[0] = (unsigned long)(double_fault_stack + EXCEPTION_STACK_SIZE);
	gdt_table[GDT_ENTRY_TSS] = (sizeof(cpu_tss) - 1) | ((base & 0xffffff) << 16) | ((u64)TSS_AVAILABLE << 40) |
				   (((base >> 24) & 0xff) << 56);
	gdt_table[GDT_ENTRY_TSS + 1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(__KERNEL_TSS));
}

void cpu_init(void)
{
	idt_init();
	load_tss();
	/* Without the identity map a null pointer faults. */
	init_top_pgt[0] = 0;
	write_cr3(read_cr3());
}
