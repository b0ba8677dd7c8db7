/* SPDX-License-Identifier: MIT */
/* The integer types that hosts, handlers and guests share. */
#ifndef HYPERSTEP_TYPES_H
#define HYPERSTEP_TYPES_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

#endif
