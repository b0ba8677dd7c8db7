# A guest that does not assemble: the debugger must say where and why.
	.globl	_start
_start:
	mov	%rax, nowhere(%rbogus)
	hlt
