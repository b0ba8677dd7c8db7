/* SPDX-License-Identifier: MIT */
/* What the parts of KVM offer each other. */
#ifndef KVM_H
#define KVM_H

#include <hyperstep/host.h>
#include <hyperstep/kvm_host.h>

/* kvm_main.c */
struct kvm *kvm_create_vm(unsigned long memory, unsigned int nr_vcpus, bool hyperv);

/* x86.c: exit handlers give 1 to enter the guest again, 0 to leave KVM_RUN with vcpu->run filled in. */
int kvm_arch_vcpu_ioctl_run(struct kvm_vcpu *vcpu);
int kvm_emulate_hypercall(struct kvm_vcpu *vcpu);
int kvm_emulate_halt(struct kvm_vcpu *vcpu);
int kvm_emulate_rdmsr(struct kvm_vcpu *vcpu);
int kvm_emulate_wrmsr(struct kvm_vcpu *vcpu);
int kvm_skip_emulated_instruction(struct kvm_vcpu *vcpu);
int kvm_internal_error(struct kvm_vcpu *vcpu, const char *what, u64 data);
void kvm_vcpu_kick(struct kvm_vcpu *vcpu);
bool is_long_mode(struct kvm_vcpu *vcpu);
bool is_paging(struct kvm_vcpu *vcpu);
bool is_64_bit_hypercall(struct kvm_vcpu *vcpu);

/* exceptions.c */
void kvm_queue_exception(struct kvm_vcpu *vcpu, u8 vector);
void kvm_queue_exception_e(struct kvm_vcpu *vcpu, u8 vector, u32 error_code);
void kvm_queue_debug_exception(struct kvm_vcpu *vcpu, unsigned long dr6_bits);
void kvm_inject_gp(struct kvm_vcpu *vcpu, u32 error_code);
void kvm_inject_page_fault(struct kvm_vcpu *vcpu, gva_t addr, u32 error_code);

/* cr.c */
int kvm_set_cr0(struct kvm_vcpu *vcpu, unsigned long cr0);
int kvm_set_cr3(struct kvm_vcpu *vcpu, unsigned long cr3);
int kvm_set_cr4(struct kvm_vcpu *vcpu, unsigned long cr4);
int kvm_set_efer(struct kvm_vcpu *vcpu, u64 efer);

/* msr.c: 0, or 1 when the access is a #GP. */
int kvm_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data);
int kvm_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data);

/* cpuid.c */
int kvm_emulate_cpuid(struct kvm_vcpu *vcpu);
unsigned long kvm_guest_cr4_bits(void);
u64 kvm_guest_efer_bits(void);
unsigned int kvm_maxphyaddr(void);

/* pio.c */
int kvm_emulate_pio(struct kvm_vcpu *vcpu, u16 port, int size, bool in);
int kvm_emulate_string_pio(struct kvm_vcpu *vcpu, u16 port, int size, bool in);

/* mmu.c */
int kvm_mmu_create(struct kvm *kvm);
int kvm_mmu_page_fault(struct kvm_vcpu *vcpu, gpa_t gpa);
u64 kvm_mmu_eptp(struct kvm *kvm);

/* walk.c: the guest's own page tables. */
struct x86_exception {
	gva_t address;
	u32 error_code;
};
#define PFERR_PRESENT_MASK (1U << 0)
#define PFERR_WRITE_MASK (1U << 1)
#define PFERR_USER_MASK (1U << 2)
#define PFERR_RSVD_MASK (1U << 3)
#define PFERR_FETCH_MASK (1U << 4)
int kvm_mmu_gva_to_gpa(struct kvm_vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct x86_exception *fault);

/* emulate.c */
int handle_ud(struct kvm_vcpu *vcpu);

/* hyperv.c */
bool kvm_hv_hypercall_enabled(struct kvm_vcpu *vcpu);
int kvm_hv_hypercall(struct kvm_vcpu *vcpu);
bool kvm_hv_msr_is(u32 index);
int kvm_hv_get_msr(struct kvm_vcpu *vcpu, u32 index, u64 *data);
int kvm_hv_set_msr(struct kvm_vcpu *vcpu, u32 index, u64 data);
bool kvm_hv_cpuid(u32 function, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);

/* handlers.c: the user's own hypercalls. */
extern struct hyperstep_handlers hyperstep_handlers;
void hyperstep_handlers_update(void);
bool hyperstep_handlers_call(struct kvm_vcpu *vcpu, unsigned long nr, const unsigned long args[4], unsigned long *ret);
const char *kvm_hypercall_name(unsigned long nr);

/* The scheduler tells when a vCPU's thread loses and gets the processor. */
void kvm_sched_out(struct kvm_vcpu *vcpu);
void kvm_sched_in(struct kvm_vcpu *vcpu);

#endif
