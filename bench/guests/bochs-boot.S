/* SPDX-License-Identifier: MIT */
/*
 * Boot sector for a peer without a multiboot loader. The sectors behind it are RAM from 1 MiB on, as a multiboot loader
 * would leave it; the three numbers at the end say how many sectors, where to enter, and what EBX is there.
 */
#define CHUNK_SECTORS 64
#define CHUNK 0x10000
#define BOOTLOADER_MAGIC 0x2badb002

	.text
	.code16
	.globl	_start
_start:
	ljmp	$0, $1f
1:	cli
	cld
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	$0x7c00, %sp
	movb	%dl, drive
	inb	$0x92, %al		/* A20 */
	orb	$2, %al
	outb	%al, $0x92
	lgdt	gdt_pointer
	movl	$0x100000, %ebp

next_chunk:
	movb	$0x42, %ah
	movb	drive, %dl
	movw	$packet, %si
	int	$0x13
	jc	stop
	cli
	/* Into protected mode and back leaves DS and ES with 4-GiB limits (SDM 3A 10.9.2). */
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	movw	$0x10, %bx
	movw	%bx, %ds
	movw	%bx, %es
	andb	$0xfe, %al
	movl	%eax, %cr0
	xorw	%bx, %bx
	movw	%bx, %ds
	movw	%bx, %es
	movl	$CHUNK, %esi
	movl	%ebp, %edi
	movl	$CHUNK_SECTORS * 512 / 4, %ecx
	addr32 rep movsl
	movl	%edi, %ebp
	addl	$CHUNK_SECTORS, packet_block
	subl	$CHUNK_SECTORS, sectors
	ja	next_chunk

	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$0x08, $enter
stop:	hlt
	jmp	stop

	.code32
enter:	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %fs
	movl	%eax, %gs
	movl	%eax, %ss
	movl	$BOOTLOADER_MAGIC, %eax
	movl	information, %ebx
	jmp	*entry

	.balign	8
gdt:	.quad	0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
drive:	.byte	0
	.balign	4
packet:	.byte	16, 0			/* INT 13h function 42h: disk address packet */
	.word	CHUNK_SECTORS, 0, CHUNK >> 4
packet_block:
	.quad	1

	.org	0x1f0
sectors:
	.long	0
entry:	.long	0
information:
	.long	0
	.word	0
	.word	0xaa55
