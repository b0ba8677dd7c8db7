/* SPDX-License-Identifier: MIT */
#ifndef LINKAGE_H
#define LINKAGE_H

/* Where the compiler puts the frame information of C too. */
	.cfi_sections .debug_frame

/* A function in assembly, with the frame information that a debugger needs to unwind from it. */
#define SYM_FUNC_START(name)                                                                                           \
	.globl name;                                                                                                   \
	.type name, @function;                                                                                         \
	.balign 16;                                                                                                    \
	name:                                                                                                          \
	.cfi_startproc

#define SYM_FUNC_END(name)                                                                                             \
	.cfi_endproc;                                                                                                  \
	.size name, . - name

#endif
