/* SPDX-License-Identifier: MIT */
/* The processor's instructions and registers that C has no words for. */
#ifndef PROCESSOR_H
#define PROCESSOR_H

#include <hyperstep/types.h>

#define X86_CR0_PE (1UL << 0)
#define X86_CR0_MP (1UL << 1)
#define X86_CR0_EM (1UL << 2)
#define X86_CR0_TS (1UL << 3)
#define X86_CR0_ET (1UL << 4)
#define X86_CR0_NE (1UL << 5)
#define X86_CR0_WP (1UL << 16)
#define X86_CR0_AM (1UL << 18)
#define X86_CR0_NW (1UL << 29)
#define X86_CR0_CD (1UL << 30)
#define X86_CR0_PG (1UL << 31)

#define X86_CR4_TSD (1UL << 2)
#define X86_CR4_DE (1UL << 3)
#define X86_CR4_PSE (1UL << 4)
#define X86_CR4_PAE (1UL << 5)
#define X86_CR4_PGE (1UL << 7)
#define X86_CR4_VMXE (1UL << 13)

#define X86_EFLAGS_FIXED (1UL << 1)
#define X86_EFLAGS_TF (1UL << 8)
#define X86_EFLAGS_IF (1UL << 9)
#define X86_EFLAGS_DF (1UL << 10)
#define X86_EFLAGS_RF (1UL << 16)
#define X86_EFLAGS_VM (1UL << 17)

#define DR6_FIXED_1 0xffff0ff0UL
#define DR6_VOLATILE 0xe00fUL
#define DR6_TRAP_BITS 0xfUL
#define DR6_BD (1UL << 13)
#define DR6_BS (1UL << 14)
#define DR7_FIXED_1 0x400UL
#define DR7_GD (1UL << 13)

#define MSR_IA32_TSC 0x10
#define MSR_IA32_APICBASE 0x1b
#define MSR_IA32_FEAT_CTL 0x3a
#define FEAT_CTL_LOCKED (1UL << 0)
#define FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX (1UL << 2)
#define MSR_IA32_SYSENTER_CS 0x174
#define MSR_IA32_SYSENTER_ESP 0x175
#define MSR_IA32_SYSENTER_EIP 0x176
#define MSR_IA32_MISC_ENABLE 0x1a0
#define MSR_IA32_CR_PAT 0x277
#define MSR_EFER 0xc0000080
#define EFER_SCE (1UL << 0)
#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)
#define EFER_NX (1UL << 11)
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SYSCALL_MASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103

#define DE_VECTOR 0
#define DB_VECTOR 1
#define NMI_VECTOR 2
#define BP_VECTOR 3
#define UD_VECTOR 6
#define DF_VECTOR 8
#define GP_VECTOR 13
#define PF_VECTOR 14
#define MC_VECTOR 18

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return ((u64)high << 32) | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((u64)high << 32) | low;
}

static inline void native_cpuid(u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	__asm__ volatile("cpuid" : "+a"(*eax), "=b"(*ebx), "+c"(*ecx), "=d"(*edx));
}

#define BUILD_CONTROL_REGISTER(name)                                                                                   \
	static inline unsigned long read_##name(void)                                                                  \
	{                                                                                                              \
		unsigned long value;                                                                                   \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));                                                 \
		return value;                                                                                          \
	}                                                                                                              \
	static inline void write_##name(unsigned long value)                                                           \
	{                                                                                                              \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                                        \
	}
BUILD_CONTROL_REGISTER(cr0)
BUILD_CONTROL_REGISTER(cr2)
BUILD_CONTROL_REGISTER(cr3)
BUILD_CONTROL_REGISTER(cr4)
BUILD_CONTROL_REGISTER(db0)
BUILD_CONTROL_REGISTER(db1)
BUILD_CONTROL_REGISTER(db2)
BUILD_CONTROL_REGISTER(db3)

#define BUILD_PORT(suffix, type)                                                                                       \
	static inline void out##suffix(u16 port, type value)                                                           \
	{                                                                                                              \
		__asm__ volatile("out" #suffix " %0, %1" : : "a"(value), "Nd"(port));                                  \
	}                                                                                                              \
	static inline type in##suffix(u16 port)                                                                        \
	{                                                                                                              \
		type value;                                                                                            \
		__asm__ volatile("in" #suffix " %1, %0" : "=a"(value) : "Nd"(port));                                   \
		return value;                                                                                          \
	}
BUILD_PORT(b, u8)
BUILD_PORT(w, u16)
BUILD_PORT(l, u32)

static inline void local_irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void local_irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline unsigned long local_irq_save(void)
{
	unsigned long flags;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void local_irq_restore(unsigned long flags)
{
	if (flags & X86_EFLAGS_IF)
		local_irq_enable();
}

/* The interrupt shadow of STI covers HLT: nothing is missed in between. */
static inline void safe_halt(void)
{
	__asm__ volatile("sti; hlt" : : : "memory");
}

struct desc_ptr {
	u16 size;
	unsigned long address;
} __attribute__((packed));

#endif
