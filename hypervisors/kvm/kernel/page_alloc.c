// SPDX-License-Identifier: MIT
/* Physical memory: what the boot information reports, less what is taken. Nothing is ever given back. */
#include "kernel.h"

#define MAX_REGIONS 32

struct memblock_region {
	hpa_t base;
	hpa_t end;
};

static struct memblock_region memory[MAX_REGIONS], reserved[MAX_REGIONS];
static unsigned int nr_memory, nr_reserved;

static void add_region(struct memblock_region *regions, unsigned int *count, hpa_t base, hpa_t end)
{
	if (*count == MAX_REGIONS)
		panic("memblock: more than %d regions", MAX_REGIONS);
	regions[(*count)++] = (struct memblock_region){ base, end };
}

void memblock_add(hpa_t base, u64 size)
{
	add_region(memory, &nr_memory, ALIGN_UP(base, PAGE_SIZE), ALIGN_DOWN(base + size, PAGE_SIZE));
}

void memblock_reserve(hpa_t base, u64 size)
{
	hpa_t end = ALIGN_UP(base + size, PAGE_SIZE);

	base = ALIGN_DOWN(base, PAGE_SIZE);
	/* Neighbours merge: the page allocator reserves one page after another. */
	for (unsigned int i = 0; i < nr_reserved; i++) {
		if (reserved[i].base == end) {
			reserved[i].base = base;
			return;
		}
		if (reserved[i].end == base) {
			reserved[i].end = end;
			return;
		}
	}
	add_region(reserved, &nr_reserved, base, end);
}

/* The highest reserved region that meets [base, end), or NULL. */
static struct memblock_region *overlapping(hpa_t base, hpa_t end)
{
	for (unsigned int i = 0; i < nr_reserved; i++)
		if (reserved[i].base < end && base < reserved[i].end)
			return &reserved[i];
	return NULL;
}

/* Takes memory from the top down, since the boot loader fills it from the bottom. 0 when there is none. */
hpa_t memblock_alloc(u64 size, u64 align)
{
	for (unsigned int i = nr_memory; i-- > 0;) {
		hpa_t end = memory[i].end;

		while (end >= memory[i].base + size) {
			hpa_t base = ALIGN_DOWN(end - size, align);
			struct memblock_region *taken;

			if (base < memory[i].base)
				break;
			taken = overlapping(base, base + size);
			if (!taken) {
				memblock_reserve(base, size);
				return base;
			}
			end = taken->base;
		}
	}
	return 0;
}

/* Zeroed pages in a row, by their address in the direct map. */
void *alloc_pages_exact(size_t size)
{
	hpa_t pages = memblock_alloc(ALIGN_UP(size, PAGE_SIZE), PAGE_SIZE);

	if (!pages)
		panic("out of memory: %zu bytes asked for; give the machine more than the guest", size);
	return memset(__va(pages), 0, ALIGN_UP(size, PAGE_SIZE));
}

void *get_zeroed_page(void)
{
	return alloc_pages_exact(PAGE_SIZE);
}
