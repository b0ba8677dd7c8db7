# Ten rounds of a function that adds, with the sum in memory.
	.text
	.globl	_start
_start:
	movl	$10, %ecx
round:
	call	add
	decl	%ecx
	jnz	round
	movl	sum(%rip), %eax
	cli
	hlt

add:
	addl	%ecx, sum(%rip)
	ret

	.data
	.globl	sum
sum:	.long	0
