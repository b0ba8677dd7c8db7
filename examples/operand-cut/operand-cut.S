/*
 * Outside 64-bit mode a hypercall is 32 bits wide. The same RAX, with something in its upper half, is an unknown number
 * in 64-bit mode and KVM_HC_HYPERSTEP_HELLO in compatibility mode, because there the host cuts it.
 */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define CODE64 0x08
#define CODE32 0x18

	.text
	.globl	_start
_start:
	lgdt	gdt_descriptor(%rip)

	movabsq	$(0x100000000 + KVM_HC_HYPERSTEP_HELLO), %rax
	vmcall				/* 64-bit mode: all of RAX counts */
	cmpq	$-KVM_ENOSYS, %rax
	jne	failed

	movabsq	$(0x100000000 + KVM_HC_HYPERSTEP_HELLO), %rax
	pushq	$CODE32
	leaq	compatibility(%rip), %rcx
	pushq	%rcx
	lretq				/* a far return loads CS: the descriptor has L = 0 */

	.code32
compatibility:
	vmcall				/* look at RAX before, and at what kvm_emulate_hypercall makes of it */
	ljmp	$CODE64, $back

	.code64
back:
	cmpq	$KVM_HYPERSTEP_HELLO_ANSWER, %rax
	jne	failed
	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"In compatibility mode the number was cut to 32 bits.\n"

	.data
	.balign	8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* CODE64: 64-bit code, CPL 0 */
	.quad	0x00cf93000000ffff	/* the data segment that the guest started with */
	.quad	0x00cf9b000000ffff	/* CODE32: 32-bit code, CPL 0 */
gdt_end:
gdt_descriptor:
	.word	gdt_end - gdt - 1
	.quad	gdt
