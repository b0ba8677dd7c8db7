/* Writes the string at RSI to the serial port. Changes RAX, RDX and RSI. Good for 64-bit and 32-bit code. */
print:
	movw	$COM1, %dx
print_next:
	lodsb
	testb	%al, %al
	jz	print_done
	outb	%al, %dx
	jmp	print_next
print_done:
	ret

/* Where a guest goes that found a wrong value: ends the machine with status (1 << 1) | 1. */
failed:
	movb	$1, %al
	outb	%al, $DEBUG_EXIT
	hlt
