/* Hypercall 20 is our own: handlers.c answers it, in the host ("handlers" in launch.json). */
#include <hyperstep/guest.h>

#define HC_ADD 20

	.text
	.globl	_start
_start:
	movl	$HC_ADD, %eax
	movl	$40, %ebx
	movl	$2, %ecx
	vmcall				/* step into it down to add() in handlers.c */
	cmpq	$42, %rax
	jne	failed

	leaq	message(%rip), %rsi
	call	print
	cli
	hlt

#include "../console.S"

	.section .rodata
message:
	.asciz	"40 + 2 = 42, says the host.\n"
