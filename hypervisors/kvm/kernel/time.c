// SPDX-License-Identifier: MIT
/* Time is the time-stamp counter; CPUID leaf 0x15 tells its frequency (SDM 3B 18.7.3). */
#include "kernel.h"
#include "processor.h"

#define CPUID_TSC 0x15

static u64 tsc_hz = 1000000000;

void time_init(void)
{
	u32 eax = 0, ebx, ecx = 0, edx;

	native_cpuid(&eax, &ebx, &ecx, &edx);
	if (eax < CPUID_TSC)
		return;
	eax = CPUID_TSC;
	ecx = 0;
	native_cpuid(&eax, &ebx, &ecx, &edx);
	if (!eax || !ebx || !ecx)
		return;
	apic_timer_hz = ecx;
	tsc_hz = (u64)ecx * ebx / eax;
}

u64 sched_clock(void)
{
	u64 tsc = rdtsc();

	/* In two parts, so that the product does not overflow. */
	return tsc / tsc_hz * 1000000000 + tsc % tsc_hz * 1000000000 / tsc_hz;
}
