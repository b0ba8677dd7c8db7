/* SPDX-License-Identifier: MIT */
/* Interrupt entry and the thread switch. */
#include "linkage.h"

/* Offsets in struct hyperstep_thread. */
#define THREAD_RIP 0x08
#define THREAD_RSP 0x10
#define THREAD_RBP 0x18
#define THREAD_RBX 0x20
#define THREAD_R12 0x28
#define THREAD_R13 0x30
#define THREAD_R14 0x38
#define THREAD_R15 0x40

	.text
/*
 * void __switch_to_asm(struct hyperstep_thread *prev, struct hyperstep_thread *next)
 *
 * Leaves prev as if its call had just returned, which is the state that a debugger shows of a thread that does not run.
 */
SYM_FUNC_START(__switch_to_asm)
	movq	(%rsp), %rax
	leaq	8(%rsp), %rcx
	movq	%rax, THREAD_RIP(%rdi)
	movq	%rcx, THREAD_RSP(%rdi)
	movq	%rbp, THREAD_RBP(%rdi)
	movq	%rbx, THREAD_RBX(%rdi)
	movq	%r12, THREAD_R12(%rdi)
	movq	%r13, THREAD_R13(%rdi)
	movq	%r14, THREAD_R14(%rdi)
	movq	%r15, THREAD_R15(%rdi)

	movq	THREAD_RSP(%rsi), %rsp
	.cfi_def_cfa_offset 0
	movq	THREAD_RBP(%rsi), %rbp
	movq	THREAD_RBX(%rsi), %rbx
	movq	THREAD_R12(%rsi), %r12
	movq	THREAD_R13(%rsi), %r13
	movq	THREAD_R14(%rsi), %r14
	movq	THREAD_R15(%rsi), %r15
	jmp	*THREAD_RIP(%rsi)
SYM_FUNC_END(__switch_to_asm)

/* Where a new thread begins: kernel_thread() left its function in RBX and the argument in R12. */
SYM_FUNC_START(ret_from_fork)
	.cfi_undefined rip
	call	schedule_tail
	movq	%r12, %rdi
	call	*%rbx
	ud2
SYM_FUNC_END(ret_from_fork)

/* One entry of 16 bytes for each vector; all of them leave the same frame, struct pt_regs. */
	.balign 16
	.globl	idt_stubs
	.type	idt_stubs, @function
idt_stubs:
	.set	vector, 0
	.rept	256
	.balign 16
	/* Vectors with an error code: #DF #TS #NP #SS #GP #PF #AC #CP. */
	.if	(vector == 8) || ((vector >= 10) && (vector <= 14)) || (vector == 17) || (vector == 21)
	.else
	pushq	$0
	.endif
	pushq	$vector
	jmp	error_entry
	.set	vector, vector + 1
	.endr
	.size	idt_stubs, . - idt_stubs

	.balign 16
	.globl	error_entry
	.type	error_entry, @function
error_entry:
	.cfi_startproc simple
	.cfi_signal_frame
	.cfi_def_cfa rsp, 56	/* above vector, error code, RIP, CS, RFLAGS, RSP, SS */
	.cfi_offset rip, -40
	.cfi_offset rsp, -16
	.macro	push_reg reg
	pushq	%\reg
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset \reg, 0
	.endm
	.irp	reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	push_reg \reg
	.endr
	cld
	movq	%rsp, %rdi
	/* The processor aligned the frame to 16; 22 words are on the stack now. */
	call	do_interrupt
	.irp	reg, r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax
	popq	%\reg
	.cfi_adjust_cfa_offset -8
	.cfi_same_value \reg
	.endr
	addq	$16, %rsp
	.cfi_adjust_cfa_offset -16
	iretq
	.cfi_endproc
	.size	error_entry, . - error_entry
