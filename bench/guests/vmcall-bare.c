/* SPDX-License-Identifier: MIT */
/*
 * VMCALL round trips through a ten-line host: the guest is two instructions, the host adds one to RAX, steps over the
 * VMCALL and resumes. Host and guest share page tables; no EPT. 64-bit only.
 */
#include "guest.h"
#include "vmx-fields.h"

#define COUNT 10000

#define IA32_FEATURE_CONTROL 0x3a
#define IA32_VMX_BASIC 0x480
#define IA32_VMX_PINBASED_CTLS 0x481
#define IA32_VMX_PROCBASED_CTLS 0x482
#define IA32_VMX_EXIT_CTLS 0x483
#define IA32_VMX_ENTRY_CTLS 0x484
#define IA32_VMX_CR0_FIXED0 0x486
#define IA32_VMX_CR4_FIXED0 0x488
#define IA32_EFER 0xc0000080
#define FEATURE_CONTROL_LOCKED_ON 5
#define CR4_VMXE 0x2000
#define EXIT_HOST_64 0x200
#define ENTRY_GUEST_64 0x200
#define EXIT_REASON_VMCALL 18

#define CODE_SELECTOR 0x18
#define DATA_SELECTOR 0x10
#define TSS_SELECTOR 0x20
#define ACCESS_CODE_64 0xa09b
#define ACCESS_DATA 0xc093
#define ACCESS_BUSY_TSS 0x8b
#define ACCESS_UNUSABLE 0x10000

static u8 vmxon_region[4096] __attribute__((aligned(4096)));
static u8 vmcs[4096] __attribute__((aligned(4096)));
static u8 guest_stack[4096] __attribute__((aligned(16)));
static u8 tss[104];
extern u64 gdt[], gdt_tss[2];
extern u8 idt[];
static int launched;

static u64 read_msr(u32 number)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number));
	return (u64)high << 32 | low;
}

static void write_msr(u32 number, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(number), "a"((u32)value), "d"((u32)(value >> 32)));
}

static void write_field(word field, word value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(field), "rm"(value) : "cc");
}

static word read_field(word field)
{
	word value;

	__asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"(field) : "cc");
	return value;
}

/* Bits that must be 1 from the low half of the capability MSR, bits that may be 1 from the high (SDM 3D A.3-A.5). */
static word controls(u32 capability, word wanted)
{
	u64 value = read_msr(capability);

	return (wanted | (u32)value) & (value >> 32);
}

#define READ_REGISTER(name) ({ word value; __asm__ volatile("mov %%" #name ", %0" : "=r"(value)); value; })
#define SET_REGISTER(name, value) __asm__ volatile("mov %0, %%" #name : : "r"((word)(value)))

__attribute__((naked)) static void guest_code(void)
{
	__asm__("1: vmcall\n jmp 1b");
}

/* The host's ten lines: RDI counts the calls that are left, RAX is the guest's. */
__attribute__((naked)) static word run_guest(word rax, word count, word is_launched)
{
	__asm__("push %rbx; push %rbp\n"
		"mov %rdi, %rax; mov %rsi, %rdi\n"
		"mov $0x6c14, %ecx; vmwrite %rsp, %rcx\n" /* host RSP */
		"lea 2f(%rip), %rbx; mov $0x6c16, %ecx; vmwrite %rbx, %rcx\n" /* host RIP */
		"mov $0x681e, %ecx\n" /* guest RIP */
		"test %rdx, %rdx; jnz 1f\n"
		"vmlaunch; jmp 3f\n"
		"1: vmresume; jmp 3f\n"
		"2: inc %rax\n"
		"vmread %rcx, %rbx; add $3, %rbx; vmwrite %rbx, %rcx\n"
		"dec %rdi; jnz 1b\n"
		"3: pop %rbp; pop %rbx; ret");
}

static void enter_vmx_operation(void)
{
	u32 revision = (u32)read_msr(IA32_VMX_BASIC);
	word region = (word)vmxon_region, current = (word)vmcs;

	if (!(read_msr(IA32_FEATURE_CONTROL) & 1))
		write_msr(IA32_FEATURE_CONTROL, FEATURE_CONTROL_LOCKED_ON);
	SET_REGISTER(cr0, READ_REGISTER(cr0) | read_msr(IA32_VMX_CR0_FIXED0));
	SET_REGISTER(cr4, READ_REGISTER(cr4) | CR4_VMXE | read_msr(IA32_VMX_CR4_FIXED0));
	*(u32 *)vmxon_region = revision;
	*(u32 *)vmcs = revision;
	__asm__ volatile("vmxon %0" : : "m"(region) : "cc", "memory");
	__asm__ volatile("vmclear %0" : : "m"(current) : "cc", "memory");
	__asm__ volatile("vmptrld %0" : : "m"(current) : "cc", "memory");
}

static void load_task_register(void)
{
	u64 base = (word)tss;

	gdt_tss[0] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ULL << 40 | (base >> 24 & 0xff) << 56;
	gdt_tss[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

static void write_segment(word number, word selector, word limit, word access, word base)
{
	write_field(GUEST_ES_SELECTOR + 2 * number, selector);
	write_field(GUEST_ES_LIMIT + 2 * number, limit);
	write_field(GUEST_ES_ACCESS_RIGHTS + 2 * number, access);
	write_field(GUEST_ES_BASE + 2 * number, base);
}

static void write_guest_state(void)
{
	write_segment(SEGMENT_CS, CODE_SELECTOR, 0xffffffff, ACCESS_CODE_64, 0);
	write_segment(SEGMENT_TR, TSS_SELECTOR, sizeof(tss) - 1, ACCESS_BUSY_TSS, (word)tss);
	write_segment(SEGMENT_LDTR, 0, 0, ACCESS_UNUSABLE, 0);
	for (word number = SEGMENT_ES; number <= SEGMENT_GS; number++) {
		if (number != SEGMENT_CS)
			write_segment(number, DATA_SELECTOR, 0xffffffff, ACCESS_DATA, 0);
	}
	write_field(GUEST_GDTR_BASE, (word)gdt);
	write_field(GUEST_GDTR_LIMIT, 0x3f);
	write_field(GUEST_IDTR_BASE, (word)idt);
	write_field(GUEST_IDTR_LIMIT, 0xfff);
	write_field(GUEST_CR0, READ_REGISTER(cr0));
	write_field(GUEST_CR3, READ_REGISTER(cr3));
	write_field(GUEST_CR4, READ_REGISTER(cr4));
	write_field(GUEST_DR7, 0x400);
	write_field(GUEST_RFLAGS, 2);
	write_field(GUEST_RSP, (word)(guest_stack + sizeof(guest_stack)));
	write_field(GUEST_RIP, (word)guest_code);
	write_field(GUEST_VMCS_LINK_POINTER, ~0UL);
}

static void write_host_state(void)
{
	write_field(HOST_CS_SELECTOR, CODE_SELECTOR);
	write_field(HOST_ES_SELECTOR, DATA_SELECTOR);
	write_field(HOST_SS_SELECTOR, DATA_SELECTOR);
	write_field(HOST_DS_SELECTOR, DATA_SELECTOR);
	write_field(HOST_TR_SELECTOR, TSS_SELECTOR);
	write_field(HOST_TR_BASE, (word)tss);
	write_field(HOST_GDTR_BASE, (word)gdt);
	write_field(HOST_IDTR_BASE, (word)idt);
	write_field(HOST_CR0, READ_REGISTER(cr0));
	write_field(HOST_CR3, READ_REGISTER(cr3));
	write_field(HOST_CR4, READ_REGISTER(cr4));
}

void prepare(void)
{
	load_task_register();
	enter_vmx_operation();
	write_field(PIN_BASED_CONTROLS, controls(IA32_VMX_PINBASED_CTLS, 0));
	write_field(PROCESSOR_BASED_CONTROLS, controls(IA32_VMX_PROCBASED_CTLS, 0));
	write_field(EXIT_CONTROLS, controls(IA32_VMX_EXIT_CTLS, EXIT_HOST_64));
	write_field(ENTRY_CONTROLS, controls(IA32_VMX_ENTRY_CTLS, ENTRY_GUEST_64));
	write_guest_state();
	write_host_state();
}

word round(word number)
{
	word rax = run_guest(number, COUNT, launched);

	launched = 1;
	/* Anything but a VMCALL, or an entry that failed, makes a checksum that no other peer has. */
	return rax * 31 + (read_field(EXIT_REASON) == EXIT_REASON_VMCALL ? 0 : read_field(EXIT_REASON) + 1);
}
