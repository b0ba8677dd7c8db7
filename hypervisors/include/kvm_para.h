/* SPDX-License-Identifier: MIT */
/*
 * The hypercall ABI of KVM as a guest sees it, for C and for assembly: the number in RAX, up to four operands in RBX,
 * RCX, RDX and RSI, the result in RAX; no other register changes.
 */
#ifndef KVM_PARA_H
#define KVM_PARA_H

#define KVM_HC_VAPIC_POLL_IRQ 1
#define KVM_HC_MMU_OP 2
#define KVM_HC_FEATURES 3
#define KVM_HC_PPC_MAP_MAGIC_PAGE 4
#define KVM_HC_KICK_CPU 5
#define KVM_HC_MIPS_GET_CLOCK_FREQ 6
#define KVM_HC_MIPS_EXIT_VM 7
#define KVM_HC_MIPS_CONSOLE_OUTPUT 8
#define KVM_HC_CLOCK_PAIRING 9
#define KVM_HC_SEND_IPI 10
#define KVM_HC_SCHED_YIELD 11
#define KVM_HC_MAP_GPA_RANGE 12

/* This host's own, not in Linux: answers KVM_HYPERSTEP_HELLO_ANSWER. */
#define KVM_HC_HYPERSTEP_HELLO 100
#define KVM_HYPERSTEP_HELLO_ANSWER 0x55AA

/* A failed hypercall gives one of these, negated. */
#define KVM_EPERM 1
#define KVM_E2BIG 7
#define KVM_EFAULT 14
#define KVM_EINVAL 22
#define KVM_EOPNOTSUPP 95
#define KVM_ENOSYS 1000

#define KVM_CPUID_SIGNATURE 0x40000000
#define KVM_CPUID_FEATURES 0x40000001
#define KVM_FEATURE_PV_UNHALT 7

#ifndef __ASSEMBLER__

static inline long kvm_hypercall0(unsigned int nr)
{
	long ret;

	__asm__ volatile("vmcall" : "=a"(ret) : "a"((unsigned long)nr) : "memory");
	return ret;
}

static inline long kvm_hypercall1(unsigned int nr, unsigned long p1)
{
	long ret;

	__asm__ volatile("vmcall" : "=a"(ret) : "a"((unsigned long)nr), "b"(p1) : "memory");
	return ret;
}

static inline long kvm_hypercall2(unsigned int nr, unsigned long p1, unsigned long p2)
{
	long ret;

	__asm__ volatile("vmcall" : "=a"(ret) : "a"((unsigned long)nr), "b"(p1), "c"(p2) : "memory");
	return ret;
}

static inline long kvm_hypercall3(unsigned int nr, unsigned long p1, unsigned long p2, unsigned long p3)
{
	long ret;

	__asm__ volatile("vmcall" : "=a"(ret) : "a"((unsigned long)nr), "b"(p1), "c"(p2), "d"(p3) : "memory");
	return ret;
}

static inline long kvm_hypercall4(unsigned int nr, unsigned long p1, unsigned long p2, unsigned long p3,
				  unsigned long p4)
{
	long ret;

	__asm__ volatile("vmcall"
			 : "=a"(ret)
			 : "a"((unsigned long)nr), "b"(p1), "c"(p2), "d"(p3), "S"(p4)
			 : "memory");
	return ret;
}

#endif
#endif
