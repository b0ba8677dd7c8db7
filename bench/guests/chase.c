/* SPDX-License-Identifier: MIT */
/* A linked list of 64-byte nodes in random order over 16 MiB: every step waits for memory and misses small TLBs. */
#include "guest.h"

#define NODES (1UL << 18)
#define STEPS (1UL << 18)

struct node {
	struct node *next;
	word key;
	word sum;
	word unused[(64 - 3 * sizeof(word)) / sizeof(word)];
};

static struct node *const nodes = (struct node *)WORKSPACE;

/* A linear congruential generator of full period visits each node once. */
void prepare(void)
{
	for (word i = 0; i < NODES; i++) {
		word next = (i * (166013UL * 4 + 1) + 12345UL) & (NODES - 1);

		nodes[i].next = &nodes[next];
		nodes[i].key = i * 0x9e3779b1UL;
	}
}

word round(word number)
{
	struct node *node = nodes;
	word sum = number;

	for (word left = STEPS; left != 0; left--) {
		sum += node->key;
		node->sum = sum;
		node = node->next;
	}
	return sum;
}
