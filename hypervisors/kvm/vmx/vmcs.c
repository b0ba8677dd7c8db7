// SPDX-License-Identifier: MIT
/* A fresh VMCS: controls, the host's state, the parts of the guest's state that are the same for every guest. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kernel/segment.h"
#include "vmx.h"
#include "vmx_ops.h"

#define MSR_BITMAP_READ_LOW 0x000
#define MSR_BITMAP_READ_HIGH 0x400
#define MSR_BITMAP_WRITE_LOW 0x800
#define MSR_BITMAP_WRITE_HIGH 0xc00

/* MSRs that the guest reads and writes without a VM exit: each has a place in the VMCS or is switched with the thread. */
static const u32 passthrough_msrs[] = {
	MSR_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP,
	MSR_FS_BASE,	      MSR_GS_BASE,	     MSR_KERNEL_GS_BASE,
};

extern struct desc_ptr gdt_descriptor;
extern struct desc_ptr idt_descr;
extern u8 cpu_tss[];

static u8 *msr_bitmap;

static void pass_through(u8 *bitmap, u32 msr)
{
	bool high = msr >= 0xc0000000;
	u32 bit = msr & 0x1fff;

	bitmap[(high ? MSR_BITMAP_READ_HIGH : MSR_BITMAP_READ_LOW) + bit / 8] &= (u8)~(1U << bit % 8);
	bitmap[(high ? MSR_BITMAP_WRITE_HIGH : MSR_BITMAP_WRITE_LOW) + bit / 8] &= (u8)~(1U << bit % 8);
}

/* One for all vCPUs: SDM 3C 25.6.9. */
static u8 *get_msr_bitmap(void)
{
	if (!msr_bitmap) {
		msr_bitmap = memset(get_zeroed_page(), 0xff, PAGE_SIZE);
		for (unsigned int i = 0; i < ARRAY_SIZE(passthrough_msrs); i++)
			pass_through(msr_bitmap, passthrough_msrs[i]);
	}
	return msr_bitmap;
}

static void vmx_set_constant_host_state(void)
{
	vmcs_writel(HOST_CR0, read_cr0());
	vmcs_writel(HOST_CR3, read_cr3());
	vmcs_writel(HOST_CR4, read_cr4());
	vmcs_write16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_DS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_ES_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_write16(HOST_TR_SELECTOR, __KERNEL_TSS);
	vmcs_writel(HOST_FS_BASE, 0);
	vmcs_writel(HOST_GS_BASE, 0);
	vmcs_writel(HOST_TR_BASE, (unsigned long)cpu_tss);
	vmcs_writel(HOST_GDTR_BASE, gdt_descriptor.address);
	vmcs_writel(HOST_IDTR_BASE, idt_descr.address);
	vmcs_write32(HOST_IA32_SYSENTER_CS, 0);
	vmcs_writel(HOST_IA32_SYSENTER_ESP, 0);
	vmcs_writel(HOST_IA32_SYSENTER_EIP, 0);
	vmcs_write64(HOST_IA32_EFER, rdmsr(MSR_EFER));
	if (vmcs_config.vmexit_ctrl & VM_EXIT_LOAD_IA32_PAT)
		vmcs_write64(HOST_IA32_PAT, rdmsr(MSR_IA32_CR_PAT));
	vmcs_writel(HOST_RIP, (unsigned long)vmx_vmexit);
}

static void init_controls(struct vcpu_vmx *vmx)
{
	vmcs_write32(PIN_BASED_VM_EXEC_CONTROL, vmcs_config.pin_based_exec_ctrl);
	vmcs_write32(CPU_BASED_VM_EXEC_CONTROL, vmcs_config.cpu_based_exec_ctrl);
	vmcs_write32(SECONDARY_VM_EXEC_CONTROL, vmcs_config.cpu_based_2nd_exec_ctrl);
	vmcs_write32(VM_EXIT_CONTROLS, vmcs_config.vmexit_ctrl);
	vmcs_write32(VM_ENTRY_CONTROLS, vmcs_config.vmentry_ctrl);
	/* VMMCALL, AMD's hypercall, is an invalid opcode here: see emulate.c. #DB exits because DR6 is not switched. */
	vmcs_write32(EXCEPTION_BITMAP, (1U << UD_VECTOR) | (1U << DB_VECTOR));
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write32(CR3_TARGET_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	if (vmcs_config.cpu_based_exec_ctrl & CPU_BASED_USE_MSR_BITMAPS)
		vmcs_write64(MSR_BITMAP, __pa(get_msr_bitmap()));
	vmcs_write64(EPT_POINTER, kvm_mmu_eptp(vmx->vcpu.kvm));
	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_VPID)
		vmcs_write16(VIRTUAL_PROCESSOR_ID, vmx->vpid);
}

void vmx_vcpu_setup(struct vcpu_vmx *vmx)
{
	init_controls(vmx);
	vmx_set_constant_host_state();
	vmcs_write64(VMCS_LINK_POINTER, ~0ULL);
	vmcs_write64(GUEST_IA32_DEBUGCTL, 0);
	if (vmcs_config.vmentry_ctrl & VM_ENTRY_LOAD_IA32_PAT)
		vmcs_write64(GUEST_IA32_PAT, 0x0007040600070406ULL);
	vmcs_write32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write32(GUEST_SYSENTER_CS, 0);
	vmcs_writel(GUEST_SYSENTER_ESP, 0);
	vmcs_writel(GUEST_SYSENTER_EIP, 0);
	vmcs_writel(GUEST_RFLAGS, X86_EFLAGS_FIXED);
	vmx_set_dr7(&vmx->vcpu, DR7_FIXED_1);
	vmcs_writel(GUEST_CR3, 0);
}

/* SDM 3C 31.4. */
static const char *const instruction_errors[] = {
	[1] = "VMCALL executed in VMX root operation",
	[2] = "VMCLEAR with invalid physical address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control field(s)",
	[8] = "VM entry with invalid host-state field(s)",
	[9] = "VMPTRLD with invalid physical address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with incorrect VMCS revision identifier",
	[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
	[13] = "VMWRITE to read-only VMCS component",
	[15] = "VMXON executed in VMX root operation",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "Invalid operand to INVEPT/INVVPID",
};

const char *vmx_instruction_error_name(u32 error)
{
	const char *name = error < ARRAY_SIZE(instruction_errors) ? instruction_errors[error] : NULL;

	return name ? name : "unknown VM-instruction error";
}

/* What is most often wrong when the processor refuses a VM entry. */
void vmx_dump_entry_failure(struct kvm_vcpu *vcpu)
{
	printk("kvm: vcpu %d: CR0 %#lx CR3 %#lx CR4 %#lx EFER %#llx RIP %#lx RFLAGS %#lx\n", vcpu->vcpu_id,
	       vmcs_readl(GUEST_CR0), vmcs_readl(GUEST_CR3), vmcs_readl(GUEST_CR4), vmcs_read64(GUEST_IA32_EFER),
	       vmcs_readl(GUEST_RIP), vmcs_readl(GUEST_RFLAGS));
	printk("kvm: vcpu %d: CS %#x/%#x SS %#x/%#x DS %#x/%#x TR %#x/%#x LDTR %#x/%#x\n", vcpu->vcpu_id,
	       vmcs_read16(GUEST_CS_SELECTOR), vmcs_read32(GUEST_CS_AR_BYTES), vmcs_read16(GUEST_SS_SELECTOR),
	       vmcs_read32(GUEST_SS_AR_BYTES), vmcs_read16(GUEST_DS_SELECTOR), vmcs_read32(GUEST_DS_AR_BYTES),
	       vmcs_read16(GUEST_TR_SELECTOR), vmcs_read32(GUEST_TR_AR_BYTES), vmcs_read16(GUEST_LDTR_SELECTOR),
	       vmcs_read32(GUEST_LDTR_AR_BYTES));
	printk("kvm: vcpu %d: entry controls %#x, exit controls %#x, interruption information %#x\n", vcpu->vcpu_id,
	       vmcs_read32(VM_ENTRY_CONTROLS), vmcs_read32(VM_EXIT_CONTROLS), vmcs_read32(VM_ENTRY_INTR_INFO_FIELD));
}
