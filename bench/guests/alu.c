/* SPDX-License-Identifier: MIT */
/* Registers only: a xorshift generator hashed into a sum. */
#include "guest.h"

#define STEPS 600000

#ifdef __x86_64__
#define SHIFTS 13, 7, 17
#define PRIME 0x100000001b3UL
#define HALF 32
#else
#define SHIFTS 13, 17, 5
#define PRIME 0x01000193UL
#define HALF 16
#endif

static word xorshift(word x, int left, int right, int again)
{
	x ^= x << left;
	x ^= x >> right;
	return x ^ (x << again);
}
#define XORSHIFT(x, shifts) xorshift(x, shifts)

void prepare(void)
{
}

word round(word number)
{
	word x = 2463534242UL + number, hash = 0x811c9dc5UL;

	for (word left = STEPS; left != 0; left--) {
		x = XORSHIFT(x, SHIFTS);
		hash = (hash ^ x) * PRIME;
		hash += x >> HALF;
		if ((long)hash < 0)
			hash -= left;
	}
	return hash ^ x;
}
