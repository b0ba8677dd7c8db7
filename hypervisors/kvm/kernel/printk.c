// SPDX-License-Identifier: MIT
/* The host's log: lines with the time since power-on, on COM2. */
#include <stdarg.h>

#include "kernel.h"
#include "processor.h"

#define COM1 0x3f8
#define COM2 0x2f8
#define UART_DLL 0
#define UART_DLM 1
#define UART_IER 1
#define UART_FCR 2
#define UART_FCR_ENABLE_AND_CLEAR 0x07
#define UART_LCR 3
#define UART_LCR_8N1 0x03
#define UART_LCR_DLAB 0x80
#define UART_MCR 4
#define UART_MCR_DTR_RTS 0x03
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define DIVISOR_115200 1

#define DEBUG_EXIT_PORT 0xf4
#define FAILED_EXIT_CODE 0x7f /* exit status 255 */

struct text_buffer {
	char *text;
	size_t size;
	size_t used; /* may exceed size: what would have been written */
};

static void put_char(struct text_buffer *buffer, char c)
{
	if (buffer->used + 1 < buffer->size)
		buffer->text[buffer->used] = c;
	buffer->used++;
}

static void put_padded(struct text_buffer *buffer, const char *text, size_t length, int width, char pad)
{
	for (int n = width - (int)length; n > 0; n--)
		put_char(buffer, pad);
	while (length--)
		put_char(buffer, *text++);
}

static void put_number(struct text_buffer *buffer, u64 value, bool negative, unsigned int base, int width, char pad,
		       bool prefix)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (prefix) {
		put_char(buffer, '0');
		put_char(buffer, 'x');
		width -= 2;
	}
	if (negative && pad == '0') {
		put_char(buffer, '-');
		width--;
	} else if (negative) {
		digits[--at] = '-';
	}
	put_padded(buffer, digits + at, sizeof(digits) - at, width, pad);
}

static u64 next_unsigned(va_list *args, int longs)
{
	return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
}

static s64 next_signed(va_list *args, int longs)
{
	return longs ? va_arg(*args, long) : va_arg(*args, int);
}

static const char *put_conversion(struct text_buffer *buffer, const char *fmt, va_list *args)
{
	bool alternate = false;
	char pad = ' ';
	int width = 0, longs = 0;

	for (; *fmt == '#' || *fmt == '0'; fmt++) {
		if (*fmt == '#')
			alternate = true;
		else
			pad = '0';
	}
	for (; *fmt >= '0' && *fmt <= '9'; fmt++)
		width = width * 10 + (*fmt - '0');
	for (; *fmt == 'l' || *fmt == 'z'; fmt++)
		longs++;

	switch (*fmt) {
	case 'd': {
		s64 value = next_signed(args, longs);

		put_number(buffer, value < 0 ? 0 - (u64)value : (u64)value, value < 0, 10, width, pad, false);
		break;
	}
	case 'u':
		put_number(buffer, next_unsigned(args, longs), false, 10, width, pad, false);
		break;
	case 'x':
		put_number(buffer, next_unsigned(args, longs), false, 16, width, pad, alternate);
		break;
	case 'p':
		put_number(buffer, (unsigned long)va_arg(*args, void *), false, 16, width, pad, true);
		break;
	case 'c':
		put_char(buffer, (char)va_arg(*args, int));
		break;
	case 's': {
		const char *text = va_arg(*args, const char *);

		if (!text)
			text = "(null)";
		put_padded(buffer, text, strlen(text), width, ' ');
		break;
	}
	case '%':
		put_char(buffer, '%');
		break;
	default: /* not one of ours: shown as it is written */
		put_char(buffer, '%');
		return fmt;
	}
	return fmt + 1;
}

static int vsnprintf(char *text, size_t size, const char *fmt, va_list args)
{
	struct text_buffer buffer = { .text = text, .size = size };
	va_list rest;

	va_copy(rest, args);
	while (*fmt) {
		if (*fmt == '%')
			fmt = put_conversion(&buffer, fmt + 1, &rest);
		else
			put_char(&buffer, *fmt++);
	}
	va_end(rest);
	if (size)
		text[buffer.used < size ? buffer.used : size - 1] = '\0';
	return (int)buffer.used;
}

int snprintf(char *buffer, size_t size, const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(buffer, size, fmt, args);
	va_end(args);
	return length;
}

static void uart_init(u16 port)
{
	outb(port + UART_IER, 0);
	outb(port + UART_LCR, UART_LCR_DLAB);
	outb(port + UART_DLL, DIVISOR_115200);
	outb(port + UART_DLM, 0);
	outb(port + UART_LCR, UART_LCR_8N1);
	outb(port + UART_FCR, UART_FCR_ENABLE_AND_CLEAR);
	outb(port + UART_MCR, UART_MCR_DTR_RTS);
}

/* COM1 is the guest's, but guests write to it without ado. */
void console_init(void)
{
	uart_init(COM1);
	uart_init(COM2);
}

static void console_write(const char *text)
{
	for (; *text; text++) {
		while (!(inb(COM2 + UART_LSR) & UART_LSR_THRE))
			;
		outb(COM2, (u8)*text);
	}
}

static int vprintk(const char *fmt, va_list args)
{
	char line[256];
	u64 now = sched_clock();
	int prefix = snprintf(line, sizeof(line), "[%5llu.%06llu] ", now / 1000000000, now / 1000 % 1000000);
	int length = prefix + vsnprintf(line + prefix, sizeof(line) - (size_t)prefix, fmt, args);

	console_write(line);
	return length;
}

int printk(const char *fmt, ...)
{
	va_list args;
	int length;

	va_start(args, fmt);
	length = vprintk(fmt, args);
	va_end(args);
	return length;
}

/* Ends the machine with exit status 255. */
void machine_failed(void)
{
	outb(DEBUG_EXIT_PORT, FAILED_EXIT_CODE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* The host cannot go on: says why. */
void panic(const char *fmt, ...)
{
	va_list args;

	local_irq_disable();
	printk("Kernel panic:\n");
	va_start(args, fmt);
	vprintk(fmt, args);
	va_end(args);
	console_write("\n");
	machine_failed();
}
