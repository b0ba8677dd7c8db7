/* SPDX-License-Identifier: MIT */
/* Into the guest and out of it. */
#include "kernel/linkage.h"
#include "vmx.h"

/* Offsets in vcpu->arch.regs[], enum kvm_reg. */
#define REGS_RAX 0x00
#define REGS_RCX 0x08
#define REGS_RDX 0x10
#define REGS_RBX 0x18
#define REGS_RBP 0x28
#define REGS_RSI 0x30
#define REGS_RDI 0x38
#define REGS_R8 0x40
#define REGS_R9 0x48
#define REGS_R10 0x50
#define REGS_R11 0x58
#define REGS_R12 0x60
#define REGS_R13 0x68
#define REGS_R14 0x70
#define REGS_R15 0x78

	.macro	push_saved reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
	.endm

	.macro	pop_saved reg
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_restore \reg
	.endm

	.text
/*
 * int __vmx_vcpu_run(struct vcpu_vmx *vmx, unsigned long *regs, bool launched)
 *
 * Enters the guest with the registers of regs[] and comes back with them there: 0 after a VM exit, 1 when VM entry
 * failed. RSP and RIP are in the VMCS.
 */
SYM_FUNC_START(__vmx_vcpu_run)
	push_saved rbp
	movq	%rsp, %rbp
	push_saved r15
	push_saved r14
	push_saved r13
	push_saved r12
	push_saved rbx
	/* Below the saved registers stands regs: the VM exit finds it at the top of the stack. */
	pushq	%rsi
	.cfi_adjust_cfa_offset 8

	movl	$HOST_RSP, %eax
	vmwrite	%rsp, %rax

	/* MOV leaves ZF alone until the jump below. */
	testb	%dl, %dl
	movq	REGS_RCX(%rsi), %rcx
	movq	REGS_RDX(%rsi), %rdx
	movq	REGS_RBX(%rsi), %rbx
	movq	REGS_RBP(%rsi), %rbp
	movq	REGS_RDI(%rsi), %rdi
	movq	REGS_R8(%rsi), %r8
	movq	REGS_R9(%rsi), %r9
	movq	REGS_R10(%rsi), %r10
	movq	REGS_R11(%rsi), %r11
	movq	REGS_R12(%rsi), %r12
	movq	REGS_R13(%rsi), %r13
	movq	REGS_R14(%rsi), %r14
	movq	REGS_R15(%rsi), %r15
	movq	REGS_RAX(%rsi), %rax
	movq	REGS_RSI(%rsi), %rsi
	jz	.Lvmlaunch
	vmresume
	jmp	.Lvmfail
.Lvmlaunch:
	vmlaunch
.Lvmfail:
	popq	%rsi
	.cfi_adjust_cfa_offset -8
	.cfi_remember_state
	movl	$1, %eax
	jmp	.Lrestore
	.cfi_restore_state
	.cfi_adjust_cfa_offset 8

	/* HOST_RIP. All general registers but RSP are the guest's. */
	.globl	vmx_vmexit
	.type	vmx_vmexit, @function
vmx_vmexit:
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	movq	8(%rsp), %rax
	popq	REGS_RAX(%rax)
	.cfi_adjust_cfa_offset -8
	movq	%rcx, REGS_RCX(%rax)
	movq	%rdx, REGS_RDX(%rax)
	movq	%rbx, REGS_RBX(%rax)
	movq	%rbp, REGS_RBP(%rax)
	movq	%rsi, REGS_RSI(%rax)
	movq	%rdi, REGS_RDI(%rax)
	movq	%r8, REGS_R8(%rax)
	movq	%r9, REGS_R9(%rax)
	movq	%r10, REGS_R10(%rax)
	movq	%r11, REGS_R11(%rax)
	movq	%r12, REGS_R12(%rax)
	movq	%r13, REGS_R13(%rax)
	movq	%r14, REGS_R14(%rax)
	movq	%r15, REGS_R15(%rax)
	addq	$8, %rsp
	.cfi_adjust_cfa_offset -8
	xorl	%eax, %eax
.Lrestore:
	pop_saved rbx
	pop_saved r12
	pop_saved r13
	pop_saved r14
	pop_saved r15
	pop_saved rbp
	ret
SYM_FUNC_END(__vmx_vcpu_run)
