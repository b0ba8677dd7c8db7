/* SPDX-License-Identifier: MIT */
/* Host threads on one processor. A thread gives it up by itself; nothing preempts host code. */
#ifndef SCHED_H
#define SCHED_H

#include <hyperstep/host.h>

#include "kernel.h"

#define THREAD_SIZE 16384

struct task_struct {
	struct hyperstep_thread *thread; /* its registers and state, as the debugger reads them */
	struct kvm_vcpu *vcpu;           /* the vCPU that it runs, or NULL */
	void *stack;
};

extern struct task_struct *current;

void sched_init(void);
struct task_struct *kthread_create(const char *name, struct kvm_vcpu *vcpu, void (*fn)(void *), void *arg);
void wake_up_process(struct task_struct *task);
void schedule(void);
void scheduler_tick(void);
bool need_resched(void);

/* Gives the processor away until wake_up_process(). state: HYPERSTEP_THREAD_HALTED or _DEAD. */
void block_current(enum hyperstep_thread_state state);

/* Runs the threads until none can ever run again. */
void cpu_startup_entry(void);

#endif
