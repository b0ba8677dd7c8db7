// SPDX-License-Identifier: MIT
/* Into VMX operation (SDM 3C 24.7), and the VMCS regions. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "vmx.h"
#include "vmx_ops.h"

#define CPUID_1_ECX_VMX (1U << 5)

static bool cpu_has_vmx(void)
{
	u32 eax = 1, ebx, ecx = 0, edx;

	native_cpuid(&eax, &ebx, &ecx, &edx);
	return ecx & CPUID_1_ECX_VMX;
}

/* SDM 3C 24.7: firmware may have locked VMX away. */
static void enable_feature_control(void)
{
	u64 features = rdmsr(MSR_IA32_FEAT_CTL);

	if (!(features & FEAT_CTL_LOCKED)) {
		features |= FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
		wrmsr(MSR_IA32_FEAT_CTL, features);
	}
	if (!(features & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX))
		panic("kvm: VMX is disabled by the firmware (IA32_FEATURE_CONTROL %#llx)", features);
}

u32 *alloc_vmcs(void)
{
	u32 *vmcs = get_zeroed_page();

	vmcs[0] = vmcs_config.revision_id;
	return vmcs;
}

void vmcs_load(u32 *vmcs)
{
	hpa_t physical = __pa(vmcs);
	bool failed;

	__asm__ volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(physical) : "memory");
	if (failed)
		panic("vmptrld failed: %#llx", physical);
}

void vmcs_clear(u32 *vmcs)
{
	hpa_t physical = __pa(vmcs);
	bool failed;

	__asm__ volatile("vmclear %1" : "=@ccbe"(failed) : "m"(physical) : "memory");
	if (failed)
		panic("vmclear failed: %#llx", physical);
}

static void cpu_vmxon(u32 *region)
{
	hpa_t physical = __pa(region);
	bool failed;

	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(physical) : "memory");
	if (failed)
		panic("vmxon failed: %#llx", physical);
}

void hardware_enable(void)
{
	if (!cpu_has_vmx())
		panic("kvm: the processor has no VMX");
	enable_feature_control();
	write_cr0((read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_IA32_VMX_CR4_FIXED0)) & rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	setup_vmcs_config();
	cpu_vmxon(alloc_vmcs());
	if (vmcs_config.ept_vpid & VMX_EPT_EXTENT_GLOBAL_BIT)
		__invept(VMX_EPT_EXTENT_GLOBAL, 0);
}
