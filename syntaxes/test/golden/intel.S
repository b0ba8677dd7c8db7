	.intel_syntax noprefix
entry:	mov	eax, 5
	vmcall
	mov	qword ptr [rdi + rcx*8 - 0x10], rax
	jmp	short entry	# back
	lea	rsi, [rip + offset text]
	.att_syntax
	movl	%eax, %ebx
