/* SPDX-License-Identifier: MIT */
/* Calls and returns: Fibonacci numbers the slow way. */
#include "guest.h"

__attribute__((noinline, optimize("no-optimize-sibling-calls"))) static word fib(word n)
{
	return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

void prepare(void)
{
}

word round(word number)
{
	return fib(26) + number;
}
