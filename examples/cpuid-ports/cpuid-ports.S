/* Other ways to the host: CPUID, which always exits, and ports. */
#include <kvm_para.h>
#include <hyperstep/guest.h>

#define HYPERVISOR_BIT 31
#define ABSENT_PORT 0x70
#define COM1_LINE_STATUS 0x3fd
#define TRANSMITTER_EMPTY 0x20

	.text
	.globl	_start
_start:
	/* "Is there a hypervisor?": bit 31 of ECX of leaf 1. */
	movl	$1, %eax
	xorl	%ecx, %ecx
	cpuid
	btl	$HYPERVISOR_BIT, %ecx
	jnc	failed

	/* "Which one?": its signature in EBX, ECX and EDX. */
	movl	$KVM_CPUID_SIGNATURE, %eax
	cpuid
	movl	%ebx, signature(%rip)
	movl	%ecx, signature+4(%rip)
	movl	%edx, signature+8(%rip)
	leaq	signature(%rip), %rsi
	call	print
	leaq	newline(%rip), %rsi
	call	print
	cmpl	$0x4b4d564b, signature(%rip)	/* "KVMK" */
	jne	failed

	/* "What can it do?": that KICK_CPU wakes a halted vCPU. */
	movl	$KVM_CPUID_FEATURES, %eax
	cpuid
	btl	$KVM_FEATURE_PV_UNHALT, %eax
	jnc	failed

	/* A port of a device that is there, and one of a device that is not. */
	movw	$COM1_LINE_STATUS, %dx
not_ready:
	inb	%dx, %al
	testb	$TRANSMITTER_EMPTY, %al
	jz	not_ready
	inb	$ABSENT_PORT, %al
	cmpb	$0xff, %al
	jne	failed

	/* A string instruction: one VM exit for each byte. */
	movw	$COM1, %dx
	leaq	message(%rip), %rsi
	movl	$message_end - message, %ecx
	rep outsb
	cli
	hlt

#include "../console.S"

	.section .rodata
newline:
	.asciz	"\n"
message:
	.ascii	"Written by REP OUTSB.\n"
message_end:

	.bss
signature:
	.skip	16
