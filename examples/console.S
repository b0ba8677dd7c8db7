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
