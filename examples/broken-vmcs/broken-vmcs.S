/*
 * A hypervisor of its own, on bare metal, with a mistake: one field of its VMCS breaks a rule of VM entry. Press F5: the
 * failed VMLAUNCH stops with the rule and its section. Open the VMCS view, set guestRflags to 2, and go on: the next
 * VMLAUNCH enters, and the guest says hello.
 */
#include <hyperstep/guest.h>

#define MSR_FEATURE_CONTROL 0x3a
#define FEATURE_CONTROL_VMX 5		/* locked, VMX outside SMX */
#define MSR_VMX_BASIC 0x480
#define MSR_TRUE_PINBASED_CTLS 0x48d
#define MSR_TRUE_PROCBASED_CTLS 0x48e
#define MSR_TRUE_EXIT_CTLS 0x48f
#define MSR_TRUE_ENTRY_CTLS 0x490
#define CR4_VMXE 0x2000
#define CR0_NE 0x20

#define HOST_ADDRESS_SPACE_SIZE 0x200	/* VM-exit control: the host is in 64-bit mode */
#define IA32E_MODE_GUEST 0x200		/* VM-entry control: the guest is in IA-32e mode */
#define EXIT_REASON_VMCALL 18
#define ATTEMPTS 3

/* Fields of the VMCS by their encodings. */
#define PIN_BASED_CONTROLS 0x4000
#define PROC_BASED_CONTROLS 0x4002
#define EXIT_CONTROLS 0x400c
#define ENTRY_CONTROLS 0x4012
#define VM_EXIT_REASON 0x4402
#define LINK_POINTER 0x2800
#define GUEST_CR0 0x6800
#define GUEST_CR3 0x6802
#define GUEST_CR4 0x6804
#define GUEST_RSP 0x681c
#define GUEST_RIP 0x681e
#define GUEST_RFLAGS 0x6820
#define HOST_CR0 0x6c00
#define HOST_CR3 0x6c02
#define HOST_CR4 0x6c04
#define HOST_RSP 0x6c14
#define HOST_RIP 0x6c16

	.text
	.globl	_start
_start:
	/* VMX operation: the MSR that allows it, the bits of CR0 and CR4 that it needs, VMXON with a region of its own. */
	movl	$MSR_FEATURE_CONTROL, %ecx
	movl	$FEATURE_CONTROL_VMX, %eax
	xorl	%edx, %edx
	wrmsr
	movq	%cr0, %rax
	orq	$CR0_NE, %rax
	movq	%rax, %cr0
	movq	%cr4, %rax
	orq	$CR4_VMXE, %rax
	movq	%rax, %cr4
	movl	$MSR_VMX_BASIC, %ecx
	rdmsr				/* EAX: the revision identifier of VMCS regions */
	movl	%eax, vmxon_region(%rip)
	movl	%eax, vmcs_region(%rip)
	leaq	vmxon_region(%rip), %rax
	movq	%rax, pointer(%rip)
	vmxon	pointer(%rip)
	jbe	wrong
	leaq	vmcs_region(%rip), %rax
	movq	%rax, pointer(%rip)
	vmclear	pointer(%rip)
	jbe	wrong
	vmptrld	pointer(%rip)
	jbe	wrong

	/* Controls: what is wanted, within what the capability MSRs allow. */
	movl	$MSR_TRUE_PINBASED_CTLS, %ecx
	movl	$PIN_BASED_CONTROLS, %ebx
	xorl	%esi, %esi
	call	write_control
	movl	$MSR_TRUE_PROCBASED_CTLS, %ecx
	movl	$PROC_BASED_CONTROLS, %ebx
	xorl	%esi, %esi
	call	write_control
	movl	$MSR_TRUE_EXIT_CTLS, %ecx
	movl	$EXIT_CONTROLS, %ebx
	movl	$HOST_ADDRESS_SPACE_SIZE, %esi
	call	write_control
	movl	$MSR_TRUE_ENTRY_CTLS, %ecx
	movl	$ENTRY_CONTROLS, %ebx
	movl	$IA32E_MODE_GUEST, %esi
	call	write_control

	/* Host and guest share control registers and page tables. */
	movq	%cr0, %rax
	movl	$HOST_CR0, %ebx
	vmwrite	%rax, %rbx
	movl	$GUEST_CR0, %ebx
	vmwrite	%rax, %rbx
	movq	%cr3, %rax
	movl	$HOST_CR3, %ebx
	vmwrite	%rax, %rbx
	movl	$GUEST_CR3, %ebx
	vmwrite	%rax, %rbx
	movq	%cr4, %rax
	movl	$HOST_CR4, %ebx
	vmwrite	%rax, %rbx
	movl	$GUEST_CR4, %ebx
	vmwrite	%rax, %rbx
	movl	$HOST_RSP, %ebx
	vmwrite	%rsp, %rbx
	leaq	host_entry(%rip), %rax
	movl	$HOST_RIP, %ebx
	vmwrite	%rax, %rbx
	leaq	guest_stack_end(%rip), %rax
	movl	$GUEST_RSP, %ebx
	vmwrite	%rax, %rbx
	leaq	guest_main(%rip), %rax
	movl	$GUEST_RIP, %ebx
	vmwrite	%rax, %rbx
	movq	$-1, %rax
	movl	$LINK_POINTER, %ebx
	vmwrite	%rax, %rbx

	/* The mistake: bit 1 of RFLAGS is always 1, and VM entry checks it. */
	xorl	%eax, %eax
	movl	$GUEST_RFLAGS, %ebx
	vmwrite	%rax, %rbx

	/* The rest is a table: encoding, value. */
	leaq	fields(%rip), %rsi
next_field:
	movl	(%rsi), %ebx
	testl	%ebx, %ebx
	jz	enter
	movl	4(%rsi), %eax
	vmwrite	%rax, %rbx
	jbe	wrong
	addq	$8, %rsi
	jmp	next_field

enter:
	vmlaunch			/* an entry that fails on controls or host state falls through */
	jmp	refused

/* Every VM exit comes here, and every VM entry that fails on guest state. */
host_entry:
	movl	$VM_EXIT_REASON, %ebx
	vmread	%rbx, %rax
	testl	%eax, %eax
	js	refused			/* bit 31: the VM entry failed */
	cmpl	$EXIT_REASON_VMCALL, %eax
	jne	wrong
	leaq	exited(%rip), %rsi
	call	print
	cli
	hlt

refused:
	leaq	not_entered(%rip), %rsi
	call	print
	decl	attempts(%rip)
	jnz	enter

wrong:
	movb	$1, %al
	outb	%al, $DEBUG_EXIT
	hlt

/* VMWRITE of the control field EBX: the bits of ESI, those that MSR ECX wants to be 1, none that it wants to be 0. */
write_control:
	rdmsr
	orl	%esi, %eax
	andl	%edx, %eax
	vmwrite	%rax, %rbx
	ret

/* The guest. */
guest_main:
	leaq	hello(%rip), %rsi
	call	print
	vmcall

#include "../console.S"

	.section .rodata
hello:
	.asciz	"Hello from the guest.\n"
exited:
	.asciz	"The guest has exited by VMCALL.\n"
not_entered:
	.asciz	"VM entry failed.\n"

	.balign	8
fields:
	.long	0x0802, 0x08		/* guest CS: selector, limit, access rights (64-bit code) */
	.long	0x4802, 0xffffffff
	.long	0x4816, 0xa09b
	.long	0x0804, 0x10		/* guest SS, DS, ES, FS, GS: flat data */
	.long	0x4804, 0xffffffff
	.long	0x4818, 0xc093
	.long	0x0806, 0x10
	.long	0x4806, 0xffffffff
	.long	0x481a, 0xc093
	.long	0x0800, 0x10
	.long	0x4800, 0xffffffff
	.long	0x4814, 0xc093
	.long	0x4808, 0xffffffff
	.long	0x481c, 0xc093
	.long	0x480a, 0xffffffff
	.long	0x481e, 0xc093
	.long	0x4820, 0x10000		/* guest LDTR: unusable */
	.long	0x480e, 0x67		/* guest TR: a busy TSS, which nothing uses */
	.long	0x4822, 0x8b
	.long	0x0c00, 0x10		/* host selectors ES, CS, SS, DS, TR */
	.long	0x0c02, 0x08
	.long	0x0c04, 0x10
	.long	0x0c06, 0x10
	.long	0x0c0c, 0x18
	.long	0

	.data
attempts:
	.long	ATTEMPTS

	.bss
	.balign	4096
vmxon_region:
	.skip	4096
vmcs_region:
	.skip	4096
guest_stack:
	.skip	4096
guest_stack_end:
pointer:
	.skip	8
