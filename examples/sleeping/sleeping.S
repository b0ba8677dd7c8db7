/*
 * A handler that sleeps blocks its caller and nobody else. vCPU 0 makes a call that takes ten seconds; meanwhile vCPU 1
 * counts, one number a second. It takes its breaks in the host too: a guest here has no timer of its own.
 */
#include <hyperstep/guest.h>

#define HC_SLOW 30
#define HC_BREAK 31
#define SLOW_ANSWER 0x510
#define ONE_SECOND 1000

	.text
	.globl	_start
_start:
	testl	%edi, %edi		/* EDI: the number of this vCPU */
	jnz	counter

caller:
	movl	$HC_SLOW, %eax
	movl	$10 * ONE_SECOND, %ebx
	vmcall				/* blocked here for ten seconds */
	cmpq	$SLOW_ANSWER, %rax
	jne	failed
	cmpl	$5, count(%rip)		/* vCPU 1 was not held up */
	jb	failed
	movl	$1, answered(%rip)
	leaq	answer(%rip), %rsi
	call	print
	cli
	hlt

counter:
	cmpl	$0, answered(%rip)
	jne	counted
	movl	$HC_BREAK, %eax
	movl	$ONE_SECOND, %ebx
	vmcall
	incl	count(%rip)
	leaq	counts(%rip), %rsi
	call	print
	jmp	counter
counted:
	cli
	hlt

failed:
	movb	$1, %al
	outb	%al, $DEBUG_EXIT
	hlt

#include "../console.S"

	.section .rodata
counts:
	.asciz	"vCPU 1 counts on.\n"
answer:
	.asciz	"vCPU 0 has its answer.\n"

	.bss
	.balign	4
count:
	.skip	4
answered:
	.skip	4
