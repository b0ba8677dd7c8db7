/* SPDX-License-Identifier: MIT */
/* Eratosthenes over 2 MiB of bytes. */
#include "guest.h"

#define SIZE (2UL << 20)

void prepare(void)
{
}

word round(word number)
{
	u8 *composite = (u8 *)WORKSPACE;
	word *words = (word *)WORKSPACE;
	word primes = 0;

	for (word i = 0; i < SIZE / sizeof(word); i++)
		words[i] = 0;
	for (word i = 2; i * i < SIZE; i++) {
		if (composite[i])
			continue;
		for (word j = i * i; j < SIZE; j += i)
			composite[j] = 1;
	}
	for (word i = 2; i < SIZE; i++)
		primes += composite[i] ^ 1;
	return primes + number;
}
