// SPDX-License-Identifier: MIT
/*
 * The user's own hypercalls. A debugger puts an image of compiled handlers into a free slot and says so in the mailbox
 * of host.h; the next VM exit takes its table over, while calls that are under way stay in their old image.
 */
#include <hyperstep/host.h>

#include "kernel/kernel.h"
#include "kvm.h"

typedef unsigned long (*hypercall_handler)(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1,
					   unsigned long a2, unsigned long a3);

static u8 handler_slots[HYPERSTEP_HANDLER_SLOTS][HYPERSTEP_HANDLER_SLOT_SIZE] __aligned(PAGE_SIZE);

struct hyperstep_handlers hyperstep_handlers = {
	.current_slot = -1,
	.slots = handler_slots[0],
};

/* The table in force, in the image of current_slot. */
static const struct hyperstep_hypercall *table;
static unsigned long nr_entries;

static const struct hyperstep_hypercall *find_entry(unsigned long nr)
{
	for (unsigned long i = 0; i < nr_entries; i++)
		if (table[i].nr == nr)
			return &table[i];
	return NULL;
}

static void announce(const struct hyperstep_hypercall *entry)
{
	const char *own = kvm_hypercall_name(entry->nr);

	if (own)
		printk("kvm: %s:%lu: number %lu is %s, which stays: \"%s\" is never called\n", entry->file, entry->line,
		       entry->nr, own, entry->name);
	else
		printk("kvm: hypercall %lu is \"%s\" (%s:%lu)\n", entry->nr, entry->name, entry->file, entry->line);
}

/* Called before a VM exit is dispatched: takes over what is new in the mailbox. */
void hyperstep_handlers_update(void)
{
	struct hyperstep_handlers *mailbox = &hyperstep_handlers;
	unsigned long generation = READ_ONCE(mailbox->generation);

	if (generation == mailbox->accepted)
		return;
	mailbox->accepted = generation;
	if (mailbox->slot >= HYPERSTEP_HANDLER_SLOTS) {
		printk("kvm: handlers of generation %lu refused: there is no slot %lu\n", generation, mailbox->slot);
		return;
	}
	table = mailbox->table;
	nr_entries = mailbox->count;
	mailbox->current_slot = (long)mailbox->slot;
	for (unsigned long i = 0; i < nr_entries; i++)
		announce(&table[i]);
}

/* False when no handler has this number. The handler may sleep; its image stays as it is until it has returned. */
bool hyperstep_handlers_call(struct kvm_vcpu *vcpu, unsigned long nr, const unsigned long args[4], unsigned long *ret)
{
	const struct hyperstep_hypercall *entry = find_entry(nr);
	unsigned long slot = (unsigned long)hyperstep_handlers.current_slot;
	hypercall_handler handler;

	if (!entry)
		return false;
	handler = (hypercall_handler)entry->handler;
	hyperstep_handlers.users[slot]++;
	*ret = handler(vcpu, args[0], args[1], args[2], args[3]);
	hyperstep_handlers.users[slot]--;
	return true;
}
