/* SPDX-License-Identifier: MIT */
/*
 * The virtual machine as the host keeps it, and what a hypercall handler may use: the registers of its caller, guest
 * memory, the log, sleeping. The host itself is built on the same definitions.
 */
#ifndef HYPERSTEP_KVM_HOST_H
#define HYPERSTEP_KVM_HOST_H

#include <hyperstep/types.h>
#include <kvm_para.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define EPERM 1
#define ENOMEM 12
#define EFAULT 14
#define EINVAL 22

typedef unsigned long gva_t; /* guest virtual */
typedef u64 gpa_t;           /* guest physical */
typedef u64 gfn_t;           /* guest frame number: gpa >> PAGE_SHIFT */
typedef unsigned long hva_t; /* host virtual */
typedef u64 hpa_t;           /* host physical */

/* In encoding order (SDM 2A table 2-2), so that the number in an exit qualification is an index. */
enum kvm_reg {
	VCPU_REGS_RAX,
	VCPU_REGS_RCX,
	VCPU_REGS_RDX,
	VCPU_REGS_RBX,
	VCPU_REGS_RSP,
	VCPU_REGS_RBP,
	VCPU_REGS_RSI,
	VCPU_REGS_RDI,
	VCPU_REGS_R8,
	VCPU_REGS_R9,
	VCPU_REGS_R10,
	VCPU_REGS_R11,
	VCPU_REGS_R12,
	VCPU_REGS_R13,
	VCPU_REGS_R14,
	VCPU_REGS_R15,
	VCPU_REGS_RIP,
	NR_VCPU_REGS,
};

enum kvm_mp_state {
	KVM_MP_STATE_RUNNABLE,
	KVM_MP_STATE_HALTED, /* executed HLT, waits for an event or a kick */
};

/* An exception that waits for the next VM entry. */
struct kvm_queued_exception {
	bool pending;
	bool injected; /* its delivery was interrupted by a VM exit: deliver it again */
	bool has_error_code;
	u8 vector;
	u32 type; /* INTR_TYPE_* */
	u32 error_code;
	u32 instruction_length;
};

struct kvm_vcpu_hv {
	u64 hv_hypercall_calls;
};

struct kvm_vcpu_arch {
	unsigned long regs[NR_VCPU_REGS];
	unsigned long cr0;
	unsigned long cr2;
	unsigned long cr4;
	unsigned long cr8;
	u64 efer;
	u64 star;
	u64 lstar;
	u64 cstar;
	u64 syscall_mask;
	u64 kernel_gs_base;
	u64 tsc_aux;
	unsigned long db[4];
	unsigned long dr6;
	unsigned long dr7;
	enum kvm_mp_state mp_state;
	struct {
		bool pv_unhalted; /* KVM_HC_KICK_CPU came: the next or the current HLT ends */
	} pv;
	struct kvm_queued_exception exception;
	struct kvm_vcpu_hv hyperv;
};

struct kvm_vcpu_stat {
	u64 exits;
	u64 hypercalls;
	u64 halt_exits;
	u64 halt_wakeup;
	u64 io_exits;
	u64 irq_exits;
	u64 ept_violations;
	u64 insn_emulation;
};

/* Why KVM_RUN came back, for the part of the host that plays the user-space VMM. */
enum kvm_exit_reason {
	KVM_EXIT_UNKNOWN = 0,
	KVM_EXIT_SHUTDOWN = 8,
	KVM_EXIT_FAIL_ENTRY = 9,
	KVM_EXIT_INTERNAL_ERROR = 17,
};

struct kvm_run {
	enum kvm_exit_reason exit_reason;
	const char *internal_error; /* KVM_EXIT_INTERNAL_ERROR: what happened */
	u64 internal_data;          /* the address or number that belongs to it */
	u32 hardware_entry_failure_reason;
	const char *entry_failure; /* KVM_EXIT_FAIL_ENTRY */
};

struct kvm_memory_slot {
	gfn_t base_gfn;
	unsigned long npages;
	hva_t userspace_addr;
};

struct kvm_hv {
	u64 hv_guest_os_id;
	u64 hv_hypercall;
};

struct kvm_vcpu;

#define KVM_MAX_VCPUS 63

struct kvm {
	struct kvm_memory_slot memslot;
	struct kvm_vcpu *vcpus[KVM_MAX_VCPUS];
	unsigned int created_vcpus;
	hpa_t ept_root;
	bool hyperv_enabled;
	struct kvm_hv hyperv;
};

struct task_struct;

struct kvm_vcpu {
	int vcpu_id;
	struct kvm *kvm;
	struct task_struct *task; /* the host thread that runs it */
	struct kvm_run run;
	struct kvm_vcpu_arch arch;
	struct kvm_vcpu_stat stat;
};

#define BUILD_KVM_GPR_ACCESSORS(lname, uname)                                                                          \
	static inline unsigned long kvm_##lname##_read(struct kvm_vcpu *vcpu)                                          \
	{                                                                                                              \
		return vcpu->arch.regs[VCPU_REGS_##uname];                                                             \
	}                                                                                                              \
	static inline void kvm_##lname##_write(struct kvm_vcpu *vcpu, unsigned long value)                             \
	{                                                                                                              \
		vcpu->arch.regs[VCPU_REGS_##uname] = value;                                                            \
	}
BUILD_KVM_GPR_ACCESSORS(rax, RAX)
BUILD_KVM_GPR_ACCESSORS(rbx, RBX)
BUILD_KVM_GPR_ACCESSORS(rcx, RCX)
BUILD_KVM_GPR_ACCESSORS(rdx, RDX)
BUILD_KVM_GPR_ACCESSORS(rbp, RBP)
BUILD_KVM_GPR_ACCESSORS(rsi, RSI)
BUILD_KVM_GPR_ACCESSORS(rdi, RDI)
BUILD_KVM_GPR_ACCESSORS(rsp, RSP)
BUILD_KVM_GPR_ACCESSORS(rip, RIP)
BUILD_KVM_GPR_ACCESSORS(r8, R8)
BUILD_KVM_GPR_ACCESSORS(r9, R9)
BUILD_KVM_GPR_ACCESSORS(r10, R10)
BUILD_KVM_GPR_ACCESSORS(r11, R11)
BUILD_KVM_GPR_ACCESSORS(r12, R12)
BUILD_KVM_GPR_ACCESSORS(r13, R13)
BUILD_KVM_GPR_ACCESSORS(r14, R14)
BUILD_KVM_GPR_ACCESSORS(r15, R15)

/* Guest memory. An address is good as long as the guest lives; a bad one gives KVM_HVA_ERR_BAD. */
#define KVM_HVA_ERR_BAD ((hva_t)-1)
static inline bool kvm_is_error_hva(hva_t addr)
{
	return addr == KVM_HVA_ERR_BAD;
}
static inline gfn_t gpa_to_gfn(gpa_t gpa)
{
	return gpa >> PAGE_SHIFT;
}
hva_t gfn_to_hva(struct kvm *kvm, gfn_t gfn);

/* Copy between host memory and guest-physical memory: 0, or -EFAULT when a byte lies outside guest memory. */
int kvm_read_guest(struct kvm *kvm, gpa_t gpa, void *data, unsigned long len);
int kvm_write_guest(struct kvm *kvm, gpa_t gpa, const void *data, unsigned long len);

/* The same by guest-virtual address, through the page tables of the vCPU. */
int kvm_read_guest_virt(struct kvm_vcpu *vcpu, gva_t addr, void *data, unsigned long len);
int kvm_write_guest_virt(struct kvm_vcpu *vcpu, gva_t addr, const void *data, unsigned long len);

/* Puts the calling thread to sleep: its vCPU is blocked, the others run on. */
void msleep(unsigned int msecs);

/* Virtual nanoseconds since the machine was switched on. */
u64 sched_clock(void);

/* A line in the host's log (COM2). %d %i %u %x %X %p %s %c with h, l, ll, z; width, precision, and the flags - 0 #. */
int printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void *memcpy(void *dest, const void *src, size_t n);
void *memmove(void *dest, const void *src, size_t n);
void *memset(void *dest, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

#endif
