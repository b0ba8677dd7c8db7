/* a block comment */ # and a line comment
#include <kvm_para.h>
#define SIZE 16
#ifdef SIZE
	.section .text, "ax", @progbits
	.globl	_start
_start:	movl	$KVM_HC_KICK_CPU, %eax	// the number
	xorl	%ebx, %ebx; vmcall
	lock cmpxchgq %rcx, 8(%rdi,%rcx,4)
	rep movsb
1:	jne,pt	1b
	call	*table(,%rax,8)
	.macro	put to, value=1
	movb	$\value, \to
	.endm
	.set	limit, 0x1f + SIZE
count = . - _start
	.cfi_def_cfa_offset 16
	fld	%st(1)
#endif
	.data
text:	.asciz	"a \"quoted\" \n text"
