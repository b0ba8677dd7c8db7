/* SPDX-License-Identifier: MIT */
/* REP MOVSB of 64 KiB pieces, as memcpy does it on processors with fast strings; odd addresses too. */
#include "guest.h"

#define PIECE 0x10000UL
#define PIECES 32

static void copy(u8 *destination, const u8 *source, word length)
{
	__asm__ volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(length) : : "memory");
}

void prepare(void)
{
	u8 *bytes = (u8 *)WORKSPACE;

	for (word i = 0; i < PIECE * 2; i++)
		bytes[i] = (u8)(i * 31 + (i >> 8));
}

word round(word number)
{
	u8 *bytes = (u8 *)WORKSPACE;
	word sum = number;

	for (word piece = 0; piece < PIECES; piece++) {
		copy(bytes + 2 * PIECE + piece * 5, bytes + piece * 3, PIECE);
		copy(bytes, bytes + 2 * PIECE, 64);
		sum = sum * 31 + bytes[2 * PIECE + piece * 7] + bytes[3 * PIECE - 1];
	}
	return sum;
}
