// SPDX-License-Identifier: MIT
/*
 * The guest's ports. The console (COM1) and the debug-exit port are the machine's own; nothing else is there, and what
 * is not there reads as all ones.
 */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kvm.h"
#include "vmx/vmx.h"
#include "vmx/vmx_ops.h"

#define COM1_FIRST 0x3f8
#define COM1_LAST 0x3ff
#define DEBUG_EXIT_PORT 0xf4

static bool passes_through(u16 port, int size)
{
	return (port >= COM1_FIRST && port + size - 1 <= COM1_LAST) || port == DEBUG_EXIT_PORT;
}

/* Says it once for each port. */
static void log_absent_port(struct kvm_vcpu *vcpu, u16 port)
{
	static u8 logged[0x10000 / 8];

	if (logged[port / 8] & BIT(port % 8))
		return;
	logged[port / 8] |= (u8)BIT(port % 8);
	printk("kvm: vcpu %d: there is no port %#x (rip %#lx): reads give all ones\n", vcpu->vcpu_id, port,
	       kvm_rip_read(vcpu));
}

static u32 port_in(struct kvm_vcpu *vcpu, u16 port, int size)
{
	if (!passes_through(port, size)) {
		log_absent_port(vcpu, port);
		return ~0U;
	}
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(struct kvm_vcpu *vcpu, u16 port, int size, u32 value)
{
	if (!passes_through(port, size))
		log_absent_port(vcpu, port);
	else if (size == 1)
		outb(port, (u8)value);
	else if (size == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

/* IN to AL and AX leaves the rest of RAX; to EAX it clears the upper half. */
int kvm_emulate_pio(struct kvm_vcpu *vcpu, u16 port, int size, bool in)
{
	unsigned long rax = kvm_rax_read(vcpu);
	unsigned long mask = (1UL << size * 8) - 1;
	u32 value;

	if (in) {
		value = port_in(vcpu, port, size) & (u32)mask;
		kvm_rax_write(vcpu, size == 4 ? value : (rax & ~mask) | value);
	} else {
		port_out(vcpu, port, size, (u32)(rax & mask));
	}
	return kvm_skip_emulated_instruction(vcpu);
}

#define INSTRUCTION_INFO_ADDRESS_SIZE(info) (2 << (((info) >> 7) & 7)) /* in bytes: SDM 3C table 28-8 */
#define QUALIFICATION_REP BIT(5)

/* Counts in the width of the address size; 32-bit results clear the upper half as they do in any instruction. */
static unsigned long add_in_width(unsigned long value, long delta, int bytes)
{
	unsigned long sum = value + (unsigned long)delta;

	if (bytes == 2)
		return (value & ~0xffffUL) | (sum & 0xffff);
	return bytes == 4 ? (u32)sum : sum;
}

static unsigned long in_width(unsigned long value, int bytes)
{
	return bytes == 2 ? (u16)value : bytes == 4 ? (u32)value : value;
}

/* One element. The processor says where it is in memory (SDM 3C 28.2.1), and how wide the count and the index are. */
static int string_pio_element(struct kvm_vcpu *vcpu, u16 port, int size, bool in, struct x86_exception *fault)
{
	gva_t address = vmcs_readl(GUEST_LINEAR_ADDRESS);
	u32 access = vmx_get_cpl(vcpu) == 3 ? PFERR_USER_MASK : 0;
	u32 value = 0;
	gpa_t gpa[4];

	/* Every byte is translated first: an element may cross a page, and must fault before it has an effect. */
	for (int i = 0; i < size; i++)
		if (kvm_mmu_gva_to_gpa(vcpu, address + (unsigned long)i, in ? access | PFERR_WRITE_MASK : access,
				       &gpa[i], fault))
			return 1;
	if (in)
		value = port_in(vcpu, port, size);
	for (int i = 0; i < size; i++) {
		u8 *byte = (u8 *)&value + i;

		if (in ? kvm_write_guest(vcpu->kvm, gpa[i], byte, 1) : kvm_read_guest(vcpu->kvm, gpa[i], byte, 1))
			return -EFAULT;
	}
	if (!in)
		port_out(vcpu, port, size, value);
	return 0;
}

/* INS and OUTS: one element a VM exit; the guest executes the instruction again until the count is used up. */
int kvm_emulate_string_pio(struct kvm_vcpu *vcpu, u16 port, int size, bool in)
{
	int address_size = INSTRUCTION_INFO_ADDRESS_SIZE(vmcs_read32(VMX_INSTRUCTION_INFO));
	bool rep = vmcs_readl(EXIT_QUALIFICATION) & QUALIFICATION_REP;
	int index = in ? VCPU_REGS_RDI : VCPU_REGS_RSI;
	long step = vmx_get_rflags(vcpu) & X86_EFLAGS_DF ? -size : size;
	unsigned long *regs = vcpu->arch.regs;
	struct x86_exception fault;
	int r;

	if (!vmcs_config.reports_string_io)
		return kvm_internal_error(vcpu, "the processor does not tell the operand of INS and OUTS, port", port);
	if (rep && in_width(regs[VCPU_REGS_RCX], address_size) == 0)
		return kvm_skip_emulated_instruction(vcpu);
	r = string_pio_element(vcpu, port, size, in, &fault);
	if (r == 1) {
		kvm_inject_page_fault(vcpu, fault.address, fault.error_code);
		return 1;
	}
	if (r)
		return kvm_internal_error(vcpu, "INS or OUTS outside guest memory, guest-virtual address",
					  vmcs_readl(GUEST_LINEAR_ADDRESS));
	regs[index] = add_in_width(regs[index], step, address_size);
	if (rep) {
		regs[VCPU_REGS_RCX] = add_in_width(regs[VCPU_REGS_RCX], -1, address_size);
		if (in_width(regs[VCPU_REGS_RCX], address_size) != 0)
			return 1;
	}
	return kvm_skip_emulated_instruction(vcpu);
}
