/* SPDX-License-Identifier: MIT */
/* VMCALL round trips through hypervisors/kvm: a guest program, entered by the host in 64-bit mode with a stack. */
#include "guest.h"
#include <kvm_para.h>

#define COUNT 1000

void prepare(void)
{
}

word round(word number)
{
	word sum = number;

	for (word left = COUNT; left != 0; left--) {
		word answer = KVM_HC_HYPERSTEP_HELLO;

		__asm__ volatile("vmcall" : "+a"(answer) : "b"(0UL), "c"(0UL), "d"(0UL), "S"(0UL) : "memory");
		sum = sum * 31 + answer;
	}
	return sum;
}
