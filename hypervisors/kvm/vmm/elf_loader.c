// SPDX-License-Identifier: MIT
/* Loads the guest's ELF32 or ELF64 file into guest memory by its program headers. */
#include "kernel/kernel.h"
#include "vmm.h"

#define ELFCLASS32 1
#define ELFCLASS64 2
#define EI_CLASS 4
#define PT_LOAD 1

struct elf32_ehdr {
	u8 e_ident[16];
	u16 e_type, e_machine;
	u32 e_version, e_entry, e_phoff, e_shoff, e_flags;
	u16 e_ehsize, e_phentsize, e_phnum;
};
struct elf64_ehdr {
	u8 e_ident[16];
	u16 e_type, e_machine;
	u32 e_version;
	u64 e_entry, e_phoff, e_shoff;
	u32 e_flags;
	u16 e_ehsize, e_phentsize, e_phnum;
};
struct elf32_phdr {
	u32 p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align;
};
struct elf64_phdr {
	u32 p_type, p_flags;
	u64 p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align;
};

/* The header, and each program header, in the wide form. */
struct elf_file {
	const u8 *bytes;
	u64 size;
	const char *name;
	bool wide;
	u64 entry;
	u64 phoff;
	u32 phnum;
	u32 phentsize;
};

static const void *file_range(const struct elf_file *file, u64 offset, u64 length, const char *what)
{
	if (offset > file->size || length > file->size - offset)
		panic("guest %s: %s lies outside the file", file->name, what);
	return file->bytes + offset;
}

static void read_header(struct elf_file *file)
{
	static const u8 magic[4] = { 0x7f, 'E', 'L', 'F' };

	if (file->size < sizeof(struct elf32_ehdr) || memcmp(file->bytes, magic, sizeof(magic)) != 0)
		panic("guest %s: not an ELF file", file->name);
	file->wide = file->bytes[EI_CLASS] == ELFCLASS64;
	if (file->wide) {
		const struct elf64_ehdr *header = file_range(file, 0, sizeof(*header), "the ELF header");

		file->entry = header->e_entry;
		file->phoff = header->e_phoff;
		file->phnum = header->e_phnum;
		file->phentsize = header->e_phentsize;
	} else if (file->bytes[EI_CLASS] == ELFCLASS32) {
		const struct elf32_ehdr *header = (const void *)file->bytes;

		file->entry = header->e_entry;
		file->phoff = header->e_phoff;
		file->phnum = header->e_phnum;
		file->phentsize = header->e_phentsize;
	} else {
		panic("guest %s: ELF class %d is neither 32 nor 64 bits", file->name, file->bytes[EI_CLASS]);
	}
}

static struct elf64_phdr program_header(const struct elf_file *file, u32 index)
{
	u64 size = file->wide ? sizeof(struct elf64_phdr) : sizeof(struct elf32_phdr);
	const void *at = file_range(file, file->phoff + (u64)index * file->phentsize, size, "a program header");
	const struct elf32_phdr *narrow = at;

	if (file->wide)
		return *(const struct elf64_phdr *)at;
	return (struct elf64_phdr){
		.p_type = narrow->p_type,
		.p_offset = narrow->p_offset,
		.p_vaddr = narrow->p_vaddr,
		.p_paddr = narrow->p_paddr,
		.p_filesz = narrow->p_filesz,
		.p_memsz = narrow->p_memsz,
	};
}

/* Guest memory starts out as zeros, but a machine that was reset would not: clear what the file does not fill. */
static void load_segment(struct kvm *kvm, const struct elf_file *file, const struct elf64_phdr *segment, gpa_t limit)
{
	gpa_t end = segment->p_paddr + segment->p_memsz;
	u8 *to;

	if (end < segment->p_paddr || end > limit || segment->p_filesz > segment->p_memsz)
		panic("guest %s: its segment %#llx-%#llx does not fit below %#llx, where the host's own part of guest memory begins",
		      file->name, segment->p_paddr, end, limit);
	to = (u8 *)gfn_to_hva(kvm, 0) + segment->p_paddr;
	memcpy(to, file_range(file, segment->p_offset, segment->p_filesz, "a segment"), segment->p_filesz);
	memset(to + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
}

u64 load_guest_elf(struct kvm *kvm, const struct boot_params *params, gpa_t limit)
{
	struct elf_file file = {
		.bytes = params->program,
		.size = params->program_size,
		.name = params->program_name,
	};
	bool entry_found = false;
	u64 entry = 0;

	read_header(&file);
	for (u32 i = 0; i < file.phnum; i++) {
		struct elf64_phdr segment = program_header(&file, i);

		if (segment.p_type != PT_LOAD || segment.p_memsz == 0)
			continue;
		load_segment(kvm, &file, &segment, limit);
		/* A guest starts with virtual = physical, so the entry is meant by its physical address. */
		if (file.entry - segment.p_vaddr < segment.p_memsz) {
			entry = file.entry - segment.p_vaddr + segment.p_paddr;
			entry_found = true;
		}
	}
	if (!entry_found)
		panic("guest %s: its entry point %#llx lies in none of its segments", file.name, file.entry);
	return entry;
}
