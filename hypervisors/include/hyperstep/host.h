/* SPDX-License-Identifier: MIT */
/*
 * What a host tells the debugger about itself: the one documented contract between a hypervisor that runs on
 * Hyperstep's machine and Hyperstep's debugger. A host that defines the symbol `hyperstep_host` gets one debugger
 * thread for each of its vCPUs (sleeping ones with their host stack) and hypercall handlers that can be reloaded.
 * A host without it works too: it gets one debugger thread for each physical CPU.
 *
 * The debugger finds `hyperstep_host` in the ELF symbol table and reads it by this layout (little endian, x86-64);
 * it only ever writes `handlers` and the image slots. All pointers are host virtual addresses.
 */
#ifndef HYPERSTEP_HOST_H
#define HYPERSTEP_HOST_H

#define HYPERSTEP_HOST_MAGIC 0x74736f6870657473ul /* "stephost" */
#define HYPERSTEP_HOST_VERSION 1
#define HYPERSTEP_MAX_THREADS 64
#define HYPERSTEP_HANDLER_SLOTS 8
#define HYPERSTEP_HANDLER_SLOT_SIZE 0x40000

enum hyperstep_thread_state {
	HYPERSTEP_THREAD_UNUSED = 0,
	HYPERSTEP_THREAD_RUNNING = 1,  /* on the processor now: its registers are the processor's */
	HYPERSTEP_THREAD_RUNNABLE = 2, /* waits for the processor */
	HYPERSTEP_THREAD_SLEEPING = 3, /* in msleep(): until wakeup_ns */
	HYPERSTEP_THREAD_HALTED = 4,   /* its guest executed HLT: until an interrupt or a kick */
	HYPERSTEP_THREAD_DEAD = 5,     /* its guest is over */
};

/* One host thread. A vCPU thread has vcpu_id >= 0. */
struct hyperstep_thread {
	unsigned int state;         /* 0x00 enum hyperstep_thread_state */
	int vcpu_id;                /* 0x04 the vCPU that this thread runs, or -1 */
	unsigned long saved_rip;    /* 0x08 where it continues, when it does not run */
	unsigned long saved_rsp;    /* 0x10 */
	unsigned long saved_rbp;    /* 0x18 */
	unsigned long saved_rbx;    /* 0x20 */
	unsigned long saved_r12;    /* 0x28 */
	unsigned long saved_r13;    /* 0x30 */
	unsigned long saved_r14;    /* 0x38 */
	unsigned long saved_r15;    /* 0x40 */
	unsigned long wakeup_ns;    /* 0x48 virtual time of the end of msleep(), 0 when it does not sleep */
	unsigned long vmcs_pa;      /* 0x50 physical address of the vCPU's VMCS (or VMCB), 0 for none */
	unsigned long guest_regs;   /* 0x58 pointer to its guest's 16 general registers, in encoding order (RAX RCX RDX RBX RSP ...) */
	const char *name;           /* 0x60 */
};                                  /* 0x68 bytes */

/* One registration line of a handlers file (see hypercall.h). */
struct hyperstep_hypercall {
	unsigned long nr;           /* 0x00 */
	const char *name;           /* 0x08 */
	void *handler;              /* 0x10 unsigned long (*)(struct kvm_vcpu *, a0, a1, a2, a3) */
	const char *file;           /* 0x18 where the line stands */
	unsigned long line;         /* 0x20 */
};                                  /* 0x28 bytes */

/*
 * The mailbox of reloadable handlers. The debugger copies a linked image into a slot whose `users` is 0 and which is
 * not `current_slot`, fills `table`, `count` and `slot`, and then adds 1 to `generation`. The host looks at
 * `generation` before it dispatches a VM exit, takes the table over and copies the number to `accepted`. Old images
 * stay intact while `users` says that a thread is still inside.
 */
struct hyperstep_handlers {
	unsigned long generation;   /* 0x00 written by the debugger */
	unsigned long accepted;     /* 0x08 written by the host */
	unsigned long slot;         /* 0x10 the slot of the new image */
	struct hyperstep_hypercall *table; /* 0x18 */
	unsigned long count;        /* 0x20 */
	long current_slot;          /* 0x28 written by the host, -1 before the first image */
	unsigned long users[HYPERSTEP_HANDLER_SLOTS]; /* 0x30 threads inside an image of each slot */
	unsigned char *slots;       /* 0x70 HYPERSTEP_HANDLER_SLOTS images of HYPERSTEP_HANDLER_SLOT_SIZE bytes, page aligned */
};                                  /* 0x78 bytes */

struct hyperstep_host {
	unsigned long magic;        /* 0x00 HYPERSTEP_HOST_MAGIC */
	unsigned int version;       /* 0x08 HYPERSTEP_HOST_VERSION */
	unsigned int nr_threads;    /* 0x0c */
	unsigned int current_thread;/* 0x10 index in threads[] of the running one */
	unsigned int reserved;      /* 0x14 */
	struct hyperstep_thread *threads;    /* 0x18 */
	struct hyperstep_handlers *handlers; /* 0x20 NULL: this host takes no handlers */
};                                  /* 0x28 bytes */

extern struct hyperstep_host hyperstep_host;

#endif
