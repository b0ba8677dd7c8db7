/* From protected to real mode (unrestricted guest), hypercalls and exits there, and back. */
#include <kvm_para.h>
#include <hyperstep/guest.h>
	.set	AT, 0x8000
	.code32
	.text
	.globl	_start
_start:
	movl	$stub, %esi
	movl	$AT, %edi
	movl	$stub_end - stub, %ecx
	rep movsb
	lgdt	gdt_descriptor
	ljmp	$0x18, $AT
	.code16
stub:
	movw	$0x20, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movl	%cr0, %eax
	andl	$~1, %eax
	movl	%eax, %cr0
	ljmp	$0, $AT + (real - stub)
real:
	xorw	%ax, %ax
	movw	%ax, %ss
	movw	%ax, %ds
	movl	$0xabcd0064, %eax
	movl	$0x100, %esp
	movl	$100, %eax
	vmcall
	movw	%ax, %bx
	movl	$1, %eax
	cpuid
	movl	$0x70, %edx
	inb	%dx, %al
	movl	$0x55, %eax
	vmmcall
	movl	%cr0, %eax
	orl	$1, %eax
	movl	%eax, %cr0
	ljmpl	$8, $back
stub_end:
	.code32
back:
	movl	$0x10, %eax
	movl	%eax, %ss
	movl	%eax, %ds
	movl	$100, %eax
	vmcall
	cli
	hlt
	.data
	.balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00009b000000ffff, 0x000093000000ffff
gdt_descriptor: .word 39
	.long gdt, 0
