/* SPDX-License-Identifier: MIT */
/* The VMX instructions. A VMREAD or VMWRITE that fails is a bug of the host. */
#ifndef VMX_OPS_H
#define VMX_OPS_H

#include "kernel/kernel.h"
#include "vmx.h"

static inline unsigned long vmcs_readl(u32 field)
{
	unsigned long value;
	bool failed;

	__asm__ volatile("vmread %2, %1" : "=@ccbe"(failed), "=r"(value) : "r"((unsigned long)field));
	if (failed)
		panic("vmread failed: field %#x", field);
	return value;
}

static inline void vmcs_writel(u32 field, unsigned long value)
{
	bool failed;

	__asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"((unsigned long)field));
	if (failed)
		panic("vmwrite failed: field %#x, value %#lx", field, value);
}

/* By width, so that the code says how wide a field is. */
static inline u16 vmcs_read16(u32 field)
{
	return (u16)vmcs_readl(field);
}
static inline u32 vmcs_read32(u32 field)
{
	return (u32)vmcs_readl(field);
}
static inline u64 vmcs_read64(u32 field)
{
	return vmcs_readl(field);
}
static inline void vmcs_write16(u32 field, u16 value)
{
	vmcs_writel(field, value);
}
static inline void vmcs_write32(u32 field, u32 value)
{
	vmcs_writel(field, value);
}
static inline void vmcs_write64(u32 field, u64 value)
{
	vmcs_writel(field, value);
}

static inline void __invvpid(unsigned long extent, u16 vpid, gva_t gva)
{
	struct {
		u64 vpid;
		u64 gva;
	} operand = { vpid, gva };
	bool failed;

	__asm__ volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(extent) : "memory");
	if (failed)
		panic("invvpid failed: extent %lu, vpid %u", extent, vpid);
}

static inline void __invept(unsigned long extent, u64 eptp)
{
	struct {
		u64 eptp;
		u64 reserved;
	} operand = { eptp, 0 };
	bool failed;

	__asm__ volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(operand), "r"(extent) : "memory");
	if (failed)
		panic("invept failed: extent %lu", extent);
}

#endif
