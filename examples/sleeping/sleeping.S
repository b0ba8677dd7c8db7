/*
 * A handler that sleeps blocks its caller and nobody else. vCPU 0 makes a call that takes ten seconds; meanwhile vCPU 1
 * counts to nine, a number a second. It takes its breaks in the host too: a guest here has no timer of its own.
 */
#include <hyperstep/guest.h>

#define HC_SLOW 30
#define HC_BREAK 31
#define SLOW_ANSWER 0x510
#define ONE_SECOND 1000
#define LAST_NUMBER 9

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
	cmpl	$LAST_NUMBER, count(%rip)	/* vCPU 1 was not held up */
	jne	failed
	leaq	answer(%rip), %rsi
	call	print
	cli
	hlt

counter:
	movl	$HC_BREAK, %eax
	movl	$ONE_SECOND, %ebx
	vmcall
	incl	count(%rip)
	incb	digit(%rip)
	leaq	counts(%rip), %rsi
	call	print
	cmpl	$LAST_NUMBER, count(%rip)
	jb	counter
	cli
	hlt

#include "../console.S"

	.section .rodata
answer:
	.asciz	"vCPU 0 has its answer.\n"

	.data
counts:
	.ascii	"vCPU 1 counts "
digit:
	.asciz	"0\n"

	.bss
	.balign	4
count:
	.skip	4
