// SPDX-License-Identifier: MIT
/* Multiboot 1 information (specification 0.6.96, section 3.3), and the words of the command line. */
#include "kernel/kernel.h"
#include "vmm.h"

#define MULTIBOOT_INFO_MEMORY (1U << 0)
#define MULTIBOOT_INFO_CMDLINE (1U << 2)
#define MULTIBOOT_INFO_MODS (1U << 3)
#define MULTIBOOT_INFO_MEM_MAP (1U << 6)
#define MULTIBOOT_MEMORY_AVAILABLE 1

#define LOW_MEMORY_END 0x100000UL
#define DIRECT_MAP_END (4ULL << 30)
#define DEFAULT_GUEST_MEMORY (64UL << 20)
#define MIN_GUEST_MEMORY (4UL << 20)
#define MAX_GUEST_MEMORY (3UL << 30)

struct multiboot_info {
	u32 flags;
	u32 mem_lower;
	u32 mem_upper; /* KiB from 1 MiB on */
	u32 boot_device;
	u32 cmdline;
	u32 mods_count;
	u32 mods_addr;
	u32 syms[4];
	u32 mmap_length;
	u32 mmap_addr;
};

struct multiboot_module {
	u32 mod_start;
	u32 mod_end;
	u32 string;
	u32 reserved;
};

struct multiboot_mmap_entry {
	u32 size; /* of what follows */
	u64 addr;
	u64 len;
	u32 type;
} __attribute__((packed));

extern u8 _end[];

/* Memory below 1 MiB is left to firmware and boot loader. */
static void add_memory(hpa_t base, u64 size)
{
	hpa_t end = base + size;

	if (base < LOW_MEMORY_END)
		base = LOW_MEMORY_END;
	if (end > DIRECT_MAP_END)
		end = DIRECT_MAP_END;
	if (base < end)
		memblock_add(base, end - base);
}

static void find_memory(const struct multiboot_info *info)
{
	hpa_t at = info->mmap_addr;

	if (!(info->flags & MULTIBOOT_INFO_MEM_MAP)) {
		if (!(info->flags & MULTIBOOT_INFO_MEMORY))
			panic("the boot loader does not tell how much memory there is");
		add_memory(LOW_MEMORY_END, (u64)info->mem_upper << 10);
		return;
	}
	while (at < (hpa_t)info->mmap_addr + info->mmap_length) {
		const struct multiboot_mmap_entry *entry = __va(at);

		if (entry->type == MULTIBOOT_MEMORY_AVAILABLE)
			add_memory(entry->addr, entry->len);
		at += entry->size + sizeof(entry->size);
	}
}

/* The file's name: the string up to the first space, without folders. */
static void copy_base_name(char *name, size_t size, const char *from)
{
	size_t length = 0;

	for (; *from && *from != ' '; from++) {
		if (*from == '/')
			length = 0;
		else if (length + 1 < size)
			name[length++] = *from;
	}
	name[length] = '\0';
}

static void find_program(struct boot_params *params, const struct multiboot_info *info)
{
	const struct multiboot_module *module = __va(info->mods_addr);

	if (!(info->flags & MULTIBOOT_INFO_MODS) || info->mods_count == 0)
		panic("no guest program: it is expected as the first multiboot module");
	for (u32 i = 0; i < info->mods_count; i++)
		memblock_reserve(module[i].mod_start, module[i].mod_end - module[i].mod_start);
	params->program = __va(module->mod_start);
	params->program_size = module->mod_end - module->mod_start;
	copy_base_name(params->program_name, sizeof(params->program_name), __va(module->string));
}

/* Decimal digits up to the end of the word; anything else is an error that names the word. */
static unsigned long parse_number(const char *word, const char *digits)
{
	unsigned long value = 0;
	const char *at = digits;

	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (unsigned long)(*at - '0');
	if (at == digits || *at || value > MAX_GUEST_MEMORY)
		panic("command line: \"%s\" is no number that is understood here", word);
	return value;
}

static const char *value_of(const char *word, const char *key)
{
	size_t length = strlen(key);

	return strncmp(word, key, length) == 0 ? word + length : NULL;
}

/* Words that are not the host's are left to whom they may concern. */
static void parse_word(struct boot_params *params, const char *word)
{
	const char *value;

	if ((value = value_of(word, "vcpus="))) {
		unsigned long n = parse_number(word, value);

		if (n < 1 || n > KVM_MAX_VCPUS)
			panic("command line: \"%s\": 1 to %d vCPUs are possible", word, KVM_MAX_VCPUS);
		params->nr_vcpus = (unsigned int)n;
	} else if ((value = value_of(word, "memory="))) {
		params->memory = ALIGN_DOWN(parse_number(word, value), PAGE_SIZE);
		if (params->memory < MIN_GUEST_MEMORY)
			panic("command line: \"%s\": a guest has at least %lu bytes", word, MIN_GUEST_MEMORY);
	} else if ((value = value_of(word, "mode="))) {
		params->long_mode = strcmp(value, "long") == 0;
		if (!params->long_mode && strcmp(value, "protected") != 0)
			panic("command line: \"%s\": the mode is long or protected", word);
	} else if ((value = value_of(word, "hyperv="))) {
		params->hyperv = parse_number(word, value) != 0;
	}
}

static void parse_command_line(struct boot_params *params, const char *line)
{
	char word[64];

	while (*line) {
		size_t length = 0;

		for (; *line && *line != ' '; line++)
			if (length + 1 < sizeof(word))
				word[length++] = *line;
		word[length] = '\0';
		parse_word(params, word);
		while (*line == ' ')
			line++;
	}
}

void parse_boot_params(struct boot_params *params, hpa_t multiboot_info)
{
	const struct multiboot_info *info = __va(multiboot_info);

	*params = (struct boot_params){ .nr_vcpus = 1, .memory = DEFAULT_GUEST_MEMORY, .long_mode = true };
	find_memory(info);
	memblock_reserve(LOW_MEMORY_END, __pa(_end) - LOW_MEMORY_END);
	find_program(params, info);
	if (info->flags & MULTIBOOT_INFO_CMDLINE)
		parse_command_line(params, __va(info->cmdline));
}
