/* SPDX-License-Identifier: MIT */
/* Integer code as applications have it: a CRC table, quicksort, a hash table with open addressing, strings of bytes. */
#include "guest.h"

#define VALUES 20000
#define SLOTS 65536

static u32 *const crc_table = (u32 *)WORKSPACE;
static u32 *const values = (u32 *)(WORKSPACE + 0x10000);
static u32 *const slots = (u32 *)(WORKSPACE + 0x100000);

void prepare(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
		crc_table[i] = crc;
	}
}

__attribute__((noinline)) static u32 crc32(const u8 *bytes, word length)
{
	u32 crc = ~0u;

	while (length--)
		crc = crc_table[(crc ^ *bytes++) & 255] ^ (crc >> 8);
	return ~crc;
}

__attribute__((noinline)) static void quicksort(int *a, long low, long high)
{
	while (low < high) {
		int pivot = a[(low + high) >> 1];
		long i = low, j = high;

		while (i <= j) {
			while (a[i] < pivot)
				i++;
			while (a[j] > pivot)
				j--;
			if (i <= j) {
				int swap = a[i];

				a[i++] = a[j];
				a[j--] = swap;
			}
		}
		if (j - low < high - i) {
			quicksort(a, low, j);
			low = i;
		} else {
			quicksort(a, i, high);
			high = j;
		}
	}
}

__attribute__((noinline)) static u32 hash_all(void)
{
	u32 sum = 0;

	for (u32 i = 0; i < SLOTS; i++)
		slots[i] = 0;
	for (u32 i = 0; i < VALUES; i++) {
		u32 key = values[i] | 1;
		u32 slot = (key * 2654435761u) >> 16;

		while (slots[slot] && slots[slot] != key)
			slot = (slot + 1) & (SLOTS - 1);
		slots[slot] = key;
		sum += slot;
	}
	return sum;
}

word round(word number)
{
	u32 x = 2463534242u + (u32)number, result;

	for (u32 i = 0; i < VALUES; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		values[i] = x;
	}
	result = crc32((u8 *)values, VALUES * 4);
	quicksort((int *)values, 0, VALUES - 1);
	result = result * 33 + crc32((u8 *)values, VALUES * 4);
	return result + hash_all();
}
