// SPDX-License-Identifier: MIT
#include "kernel.h"

void *memcpy(void *dest, const void *src, size_t n)
{
	void *to = dest;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(src), "+c"(n) : : "memory");
	return dest;
}

void *memmove(void *dest, const void *src, size_t n)
{
	u8 *to = dest;
	const u8 *from = src;

	if (to <= from || to >= from + n)
		return memcpy(dest, src, n);
	while (n--)
		to[n] = from[n];
	return dest;
}

void *memset(void *dest, int c, size_t n)
{
	void *to = dest;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return dest;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *left = a, *right = b;

	for (size_t i = 0; i < n; i++)
		if (left[i] != right[i])
			return left[i] - right[i];
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++)
		if (*a != *b || !*a)
			return (u8)*a - (u8)*b;
	return 0;
}
