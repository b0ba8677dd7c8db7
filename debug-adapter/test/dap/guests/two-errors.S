	.globl	_start
_start:
	movq	%rbogus, %rax
	hlt
	frobnicate
