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

/* What stands between % and the conversion. */
struct format_spec {
	bool left;
	bool zero;
	bool alternate;
	int width;
	int precision; /* -1: none */
	int longs;
};

static void put_padded(struct text_buffer *buffer, const char *text, size_t length, const struct format_spec *spec)
{
	int padding = spec->width - (int)length;

	for (int n = padding; n > 0 && !spec->left; n--)
		put_char(buffer, ' ');
	for (size_t i = 0; i < length; i++)
		put_char(buffer, text[i]);
	for (int n = padding; n > 0 && spec->left; n--)
		put_char(buffer, ' ');
}

#define MOST_NUMBER 64

static void put_number(struct text_buffer *buffer, u64 value, const char *sign, unsigned int base, const char *digits,
		       const struct format_spec *spec)
{
	char text[MOST_NUMBER];
	size_t at = sizeof(text);
	size_t prefix = strlen(sign);
	int least = spec->precision;

	if (spec->zero && !spec->left && least < 0)
		least = spec->width - (int)prefix;
	do {
		text[--at] = digits[value % base];
		value /= base;
	} while (value);
	while ((int)(sizeof(text) - at) < least && at > prefix)
		text[--at] = '0';
	at -= prefix;
	memcpy(text + at, sign, prefix);
	put_padded(buffer, text + at, sizeof(text) - at, spec);
}

static u64 next_unsigned(va_list *args, int longs)
{
	return longs ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
}

static s64 next_signed(va_list *args, int longs)
{
	return longs ? va_arg(*args, long) : va_arg(*args, int);
}

static void put_string(struct text_buffer *buffer, const char *text, const struct format_spec *spec)
{
	size_t length = 0;

	if (!text)
		text = "(null)";
	while ((spec->precision < 0 || length < (size_t)spec->precision) && text[length])
		length++;
	put_padded(buffer, text, length, spec);
}

static const char *parse_digits(const char *fmt, int *value)
{
	for (*value = 0; *fmt >= '0' && *fmt <= '9'; fmt++)
		*value = *value * 10 + (*fmt - '0');
	return fmt;
}

static const char *parse_spec(const char *fmt, struct format_spec *spec)
{
	*spec = (struct format_spec){ .precision = -1 };
	for (; *fmt == '-' || *fmt == '0' || *fmt == '#'; fmt++) {
		spec->left |= *fmt == '-';
		spec->zero |= *fmt == '0';
		spec->alternate |= *fmt == '#';
	}
	fmt = parse_digits(fmt, &spec->width);
	if (*fmt == '.')
		fmt = parse_digits(fmt + 1, &spec->precision);
	for (; *fmt == 'l' || *fmt == 'z' || *fmt == 'h'; fmt++)
		spec->longs += *fmt != 'h';
	return fmt;
}

/* NULL for a conversion that is none of ours: what its argument is cannot be known, so the rest stays as it is written. */
static const char *put_conversion(struct text_buffer *buffer, const char *fmt, va_list *args)
{
	static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
	struct format_spec spec;

	fmt = parse_spec(fmt, &spec);
	switch (*fmt) {
	case 'd':
	case 'i': {
		s64 value = next_signed(args, spec.longs);

		put_number(buffer, value < 0 ? 0 - (u64)value : (u64)value, value < 0 ? "-" : "", 10, lower, &spec);
		break;
	}
	case 'u':
		put_number(buffer, next_unsigned(args, spec.longs), "", 10, lower, &spec);
		break;
	case 'x':
		put_number(buffer, next_unsigned(args, spec.longs), spec.alternate ? "0x" : "", 16, lower, &spec);
		break;
	case 'X':
		put_number(buffer, next_unsigned(args, spec.longs), spec.alternate ? "0X" : "", 16, upper, &spec);
		break;
	case 'p':
		put_number(buffer, (unsigned long)va_arg(*args, void *), "0x", 16, lower, &spec);
		break;
	case 'c': {
		char c = (char)va_arg(*args, int);

		put_padded(buffer, &c, 1, &spec);
		break;
	}
	case 's':
		put_string(buffer, va_arg(*args, const char *), &spec);
		break;
	case '%':
		put_char(buffer, '%');
		break;
	default:
		return NULL;
	}
	return fmt + 1;
}

static int vsnprintf(char *text, size_t size, const char *fmt, va_list args)
{
	struct text_buffer buffer = { .text = text, .size = size };
	bool understood = true;
	va_list rest;

	va_copy(rest, args);
	while (*fmt) {
		const char *next = *fmt == '%' && understood ? put_conversion(&buffer, fmt + 1, &rest) : NULL;

		understood = understood && (next || *fmt != '%');
		if (next)
			fmt = next;
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
