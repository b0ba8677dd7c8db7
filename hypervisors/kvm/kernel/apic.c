// SPDX-License-Identifier: MIT
/* The local APIC in xAPIC mode: its timer drives the scheduler (SDM 3A chapter 11). */
#include "kernel.h"
#include "processor.h"

#define APIC_DEFAULT_PHYS_BASE 0xfee00000UL
#define APIC_TASKPRI 0x80
#define APIC_EOI 0xb0
#define APIC_SPIV 0xf0
#define APIC_SPIV_APIC_ENABLED 0x100
#define APIC_LVTT 0x320
#define APIC_TMICT 0x380
#define APIC_TDCR 0x3e0
#define APIC_TDR_DIV_16 0x3
#define TIMER_DIVISOR 16

/* Where a PC has its two 8259 interrupt controllers, the mask registers of them. */
#define PIC_MASTER_IMR 0x21
#define PIC_SLAVE_IMR 0xa1
#define PIC_MASK_ALL 0xff

/* Before the divider; the crystal's frequency where CPUID tells it. */
u64 apic_timer_hz = 1000000000;

static void apic_write(u32 reg, u32 value)
{
	*(volatile u32 *)__va(APIC_DEFAULT_PHYS_BASE + reg) = value;
}

void apic_init(void)
{
	/* Firmware may have left them on, with vectors that are exceptions here. */
	outb(PIC_MASTER_IMR, PIC_MASK_ALL);
	outb(PIC_SLAVE_IMR, PIC_MASK_ALL);
	apic_write(APIC_SPIV, APIC_SPIV_APIC_ENABLED | SPURIOUS_APIC_VECTOR);
	apic_write(APIC_TASKPRI, 0);
	apic_write(APIC_TDCR, APIC_TDR_DIV_16);
	apic_write(APIC_LVTT, LOCAL_TIMER_VECTOR); /* one-shot */
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* One interrupt, not earlier than the delay; a delay beyond the counter's range comes early and is armed again. */
void apic_timer_oneshot(u64 delay_ns)
{
	u64 hz = apic_timer_hz / TIMER_DIVISOR;
	u64 longest_ns = 0xffffffffULL / (hz / 1000000) * 1000;
	u64 count;

	if (delay_ns > longest_ns)
		delay_ns = longest_ns;
	count = (delay_ns * (hz / 1000) + 999999) / 1000000;
	apic_write(APIC_TMICT, count ? (u32)count : 1);
}

void apic_timer_stop(void)
{
	apic_write(APIC_TMICT, 0);
}
