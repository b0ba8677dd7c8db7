# Reads where nothing is mapped, with no way to handle that: the exception, then a triple fault.
	.globl	_start
_start:
	movabsq	$0x123456789000, %rbx
	lidt	nothing(%rip)
	movq	(%rbx), %rax
	hlt
	.data
nothing: .word	0
	.quad	0
