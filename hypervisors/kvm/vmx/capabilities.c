// SPDX-License-Identifier: MIT
/* What the processor offers (SDM 3D appendix A) against what this host needs and can use. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "vmx.h"

struct vmcs_config vmcs_config;

struct control_name {
	u32 bit;
	const char *name;
};

#define NAME(control) { control, #control }

static const struct control_name pin_based_names[] = {
	NAME(PIN_BASED_EXT_INTR_MASK),
	NAME(PIN_BASED_NMI_EXITING),
	{}
};
static const struct control_name cpu_based_names[] = {
	NAME(CPU_BASED_HLT_EXITING),
	NAME(CPU_BASED_MWAIT_EXITING),
	NAME(CPU_BASED_RDPMC_EXITING),
	NAME(CPU_BASED_CR8_LOAD_EXITING),
	NAME(CPU_BASED_CR8_STORE_EXITING),
	NAME(CPU_BASED_MOV_DR_EXITING),
	NAME(CPU_BASED_UNCOND_IO_EXITING),
	NAME(CPU_BASED_MONITOR_EXITING),
	NAME(CPU_BASED_ACTIVATE_SECONDARY_CONTROLS),
	{}
};
static const struct control_name secondary_names[] = {
	NAME(SECONDARY_EXEC_ENABLE_EPT),
	NAME(SECONDARY_EXEC_UNRESTRICTED_GUEST),
	{}
};
static const struct control_name exit_names[] = {
	NAME(VM_EXIT_SAVE_DEBUG_CONTROLS),
	NAME(VM_EXIT_HOST_ADDR_SPACE_SIZE),
	NAME(VM_EXIT_ACK_INTR_ON_EXIT),
	NAME(VM_EXIT_LOAD_IA32_EFER),
	{}
};
static const struct control_name entry_names[] = {
	NAME(VM_ENTRY_LOAD_DEBUG_CONTROLS),
	NAME(VM_ENTRY_IA32E_MODE),
	NAME(VM_ENTRY_LOAD_IA32_EFER),
	{}
};

static void refuse(const struct control_name *names, u32 missing, u32 msr)
{
	for (; names->bit; names++)
		if (names->bit & missing)
			printk("kvm: the processor lacks %s (MSR %#x), which this host needs\n", names->name, msr);
	panic("kvm: VMX on this processor is not enough");
}

/*
 * The low half of a capability MSR has the bits that must be 1, the high half those that may be. Wanted bits that are
 * not offered drop out; a needed one among them ends the host with its name.
 */
static u32 adjust_vmx_controls(u32 needed, u32 optional, u32 msr, const struct control_name *names)
{
	u64 allowed = rdmsr(msr);
	u32 control = ((needed | optional) & (u32)(allowed >> 32)) | (u32)allowed;

	if (needed & ~control)
		refuse(names, needed & ~control, msr);
	return control;
}

void setup_vmcs_config(void)
{
	struct vmcs_config *config = &vmcs_config;
	u64 basic = rdmsr(MSR_IA32_VMX_BASIC);
	bool exact = basic & VMX_BASIC_TRUE_CTLS;
	u32 entry_needed = VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_IA32E_MODE | VM_ENTRY_LOAD_IA32_EFER;

	config->revision_id = (u32)basic & 0x7fffffff;
	config->reports_string_io = basic & VMX_BASIC_INOUT;
	config->pin_based_exec_ctrl =
		adjust_vmx_controls(PIN_BASED_EXT_INTR_MASK | PIN_BASED_NMI_EXITING, 0,
				    exact ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS,
				    pin_based_names);
	config->cpu_based_exec_ctrl = adjust_vmx_controls(
		CPU_BASED_HLT_EXITING | CPU_BASED_MWAIT_EXITING | CPU_BASED_RDPMC_EXITING | CPU_BASED_CR8_LOAD_EXITING |
			CPU_BASED_CR8_STORE_EXITING | CPU_BASED_MOV_DR_EXITING | CPU_BASED_UNCOND_IO_EXITING |
			CPU_BASED_MONITOR_EXITING | CPU_BASED_ACTIVATE_SECONDARY_CONTROLS,
		CPU_BASED_USE_MSR_BITMAPS,
		exact ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS, cpu_based_names);
	config->cpu_based_2nd_exec_ctrl =
		adjust_vmx_controls(SECONDARY_EXEC_ENABLE_EPT | SECONDARY_EXEC_UNRESTRICTED_GUEST,
				    SECONDARY_EXEC_ENABLE_VPID | SECONDARY_EXEC_ENABLE_RDTSCP |
					    SECONDARY_EXEC_WBINVD_EXITING,
				    MSR_IA32_VMX_PROCBASED_CTLS2, secondary_names);
	config->vmexit_ctrl = adjust_vmx_controls(
		VM_EXIT_SAVE_DEBUG_CONTROLS | VM_EXIT_HOST_ADDR_SPACE_SIZE | VM_EXIT_ACK_INTR_ON_EXIT |
			VM_EXIT_LOAD_IA32_EFER,
		VM_EXIT_LOAD_IA32_PAT,
		exact ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS, exit_names);
	config->vmentry_ctrl =
		adjust_vmx_controls(entry_needed, VM_ENTRY_LOAD_IA32_PAT,
				    exact ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS, entry_names);
	/* Offered, but set only while the guest is in IA-32e mode. */
	config->vmentry_ctrl &= ~VM_ENTRY_IA32E_MODE;

	config->ept_vpid = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	if (!(config->ept_vpid & VMX_EPT_PAGE_WALK_4_BIT))
		panic("kvm: the processor lacks EPT with a page-walk length of 4, which this host needs");
	if (!(config->ept_vpid & VMX_EPTP_WB_BIT))
		panic("kvm: the processor lacks write-back EPT paging structures, which this host needs");
	/* A VPID is of use only if its translations can be dropped. */
	if (!(config->ept_vpid & VMX_VPID_INVVPID_BIT) ||
	    !(config->ept_vpid & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT))
		config->cpu_based_2nd_exec_ctrl &= ~SECONDARY_EXEC_ENABLE_VPID;
	printk("kvm: VMCS revision %#x, pin %#x, primary %#x, secondary %#x, exit %#x, entry %#x\n",
	       config->revision_id, config->pin_based_exec_ctrl, config->cpu_based_exec_ctrl,
	       config->cpu_based_2nd_exec_ctrl, config->vmexit_ctrl, config->vmentry_ctrl);
}
