/* SPDX-License-Identifier: MIT */
/*
 * What a kernel does to its TLB: walks more pages than any TLB holds, reloads CR3, changes entries and INVLPGs them.
 * 8,192 pages from virtual 1 GiB on lead to 1,024 pages of the workspace.
 */
#include "guest.h"

#define WINDOW 0x40000000UL
#define PAGES 8192
#define FRAMES 1024
#define RELOADS 256
#define WORKING_SET 16
#define REMAPS 2048

#define PRESENT_WRITABLE 3
#define LARGE 0x80
#define CR4_PSE 0x10
#define CR0_PG 0x80000000UL

#define TABLE_ENTRIES (4096 / sizeof(word))

extern word page_tables[];
static word *const entries = (word *)WORKSPACE_TABLES;

static word frame_of(word number)
{
	return WORKSPACE + (number & (FRAMES - 1)) * 4096;
}

static volatile word *page(word number)
{
	return (volatile word *)(WINDOW + number * 4096 + (number & 63) * 8);
}

static void reload_cr3(void)
{
	word value;

	__asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(value) : : "memory");
}

static void invalidate(volatile word *address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

#ifdef __x86_64__
/* 1 GiB is entry 1 of the PDPT that boot.S made: its directory is replaced. */
static word *window_directory(void)
{
	return page_tables + 3 * TABLE_ENTRIES;
}

static void enable_paging(void)
{
	reload_cr3();
}
#else
static word *window_directory(void)
{
	return page_tables + WINDOW / (4UL << 20);
}

static void enable_paging(void)
{
	for (word i = 0; i < TABLE_ENTRIES; i++) {
		if (!page_tables[i])
			page_tables[i] = (i << 22) | LARGE | PRESENT_WRITABLE;
	}
	__asm__ volatile("mov %%cr4, %%eax; or %0, %%eax; mov %%eax, %%cr4" : : "i"(CR4_PSE) : "eax");
	__asm__ volatile("mov %0, %%cr3" : : "r"(page_tables));
	__asm__ volatile("mov %%cr0, %%eax; or %0, %%eax; mov %%eax, %%cr0" : : "i"(CR0_PG) : "eax");
}
#endif

void prepare(void)
{
	word *directory = window_directory();

	for (word i = 0; i < PAGES; i++)
		entries[i] = frame_of(i) | PRESENT_WRITABLE;
	for (word i = 0; i < PAGES / TABLE_ENTRIES; i++)
		directory[i] = ((word)entries + i * 4096) | PRESENT_WRITABLE;
	enable_paging();
}

word round(word number)
{
	word sum = number;

	for (word i = 0; i < PAGES; i++)
		sum = sum * 31 + (*page(i) += i);
	for (word i = 0; i < RELOADS; i++) {
		reload_cr3();
		for (word k = 0; k < WORKING_SET; k++)
			sum += *page(i * 31 + k);
	}
	for (word i = 0; i < REMAPS; i++) {
		entries[i] = frame_of(i + number + 1) | PRESENT_WRITABLE;
		invalidate(page(i));
		sum = sum * 31 + *page(i);
	}
	return sum;
}
