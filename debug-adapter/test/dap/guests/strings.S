# A string instruction is one step.
	.text
	.globl	_start
_start:
	leaq	source(%rip), %rsi
	leaq	copy(%rip), %rdi
	movl	$6, %ecx
	rep movsb
	cli
	hlt
	.data
source:	.ascii	"string"
copy:	.skip	6
