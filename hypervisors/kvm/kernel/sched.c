// SPDX-License-Identifier: MIT
/*
 * Round robin with a time slice. The timer is armed only when somebody waits for it: for the end of a sleep, or for the
 * end of the slice when another thread wants the processor.
 */
#include "sched.h"
#include "kvm.h"
#include "processor.h"

#define TIME_SLICE_NS 1000000ULL
#define NS_PER_MS 1000000ULL

void __switch_to_asm(struct hyperstep_thread *prev, struct hyperstep_thread *next);
void ret_from_fork(void);
void schedule_tail(void);

static struct hyperstep_thread threads[HYPERSTEP_MAX_THREADS];
static struct task_struct tasks[HYPERSTEP_MAX_THREADS];
static struct task_struct *previous; /* the one that the last switch took the processor from */
static bool resched;

struct task_struct *current;

struct hyperstep_host hyperstep_host = {
	.magic = HYPERSTEP_HOST_MAGIC,
	.version = HYPERSTEP_HOST_VERSION,
	.threads = threads,
	.handlers = &hyperstep_handlers,
};

/* The boot thread becomes the idle thread, number 0. */
void sched_init(void)
{
	current = &tasks[0];
	current->thread = &threads[0];
	*current->thread = (struct hyperstep_thread){
		.state = HYPERSTEP_THREAD_RUNNING,
		.vcpu_id = -1,
		.name = "idle",
	};
	hyperstep_host.nr_threads = 1;
}

/* The thread runs once wake_up_process() is called for it. */
struct task_struct *kthread_create(const char *name, struct kvm_vcpu *vcpu, void (*fn)(void *), void *arg)
{
	unsigned int n = hyperstep_host.nr_threads;
	struct task_struct *task = &tasks[n];

	if (n == HYPERSTEP_MAX_THREADS)
		panic("no more than %d threads", HYPERSTEP_MAX_THREADS);
	task->thread = &threads[n];
	task->vcpu = vcpu;
	task->stack = alloc_pages_exact(THREAD_SIZE);
	*task->thread = (struct hyperstep_thread){
		.state = HYPERSTEP_THREAD_HALTED,
		.vcpu_id = vcpu ? vcpu->vcpu_id : -1,
		.name = name,
		.saved_rip = (unsigned long)ret_from_fork,
		.saved_rsp = (unsigned long)task->stack + THREAD_SIZE,
		.saved_rbx = (unsigned long)fn,
		.saved_r12 = (unsigned long)arg,
		.guest_regs = vcpu ? (unsigned long)vcpu->arch.regs : 0,
	};
	hyperstep_host.nr_threads = n + 1;
	return task;
}

bool need_resched(void)
{
	return READ_ONCE(resched);
}

void wake_up_process(struct task_struct *task)
{
	unsigned long flags = local_irq_save();

	if (task->thread->state == HYPERSTEP_THREAD_SLEEPING || task->thread->state == HYPERSTEP_THREAD_HALTED) {
		task->thread->state = HYPERSTEP_THREAD_RUNNABLE;
		task->thread->wakeup_ns = 0;
		resched = true;
	}
	local_irq_restore(flags);
}

static void wake_up_sleepers(u64 now)
{
	for (unsigned int i = 0; i < hyperstep_host.nr_threads; i++)
		if (threads[i].state == HYPERSTEP_THREAD_SLEEPING && threads[i].wakeup_ns <= now)
			wake_up_process(&tasks[i]);
}

/* The next thread after the current one, in turn, that wants the processor; the idle thread when none does. */
static struct task_struct *pick_next_task(void)
{
	unsigned int n = hyperstep_host.nr_threads;

	for (unsigned int i = 1; i <= n; i++) {
		struct task_struct *task = &tasks[(hyperstep_host.current_thread + i) % n];

		if (task != &tasks[0] && task->thread->state == HYPERSTEP_THREAD_RUNNABLE)
			return task;
	}
	return &tasks[0];
}

static void program_timer(struct task_struct *next, u64 now)
{
	u64 deadline = ~0ULL;

	for (unsigned int i = 1; i < hyperstep_host.nr_threads; i++) {
		if (threads[i].state == HYPERSTEP_THREAD_SLEEPING && threads[i].wakeup_ns < deadline)
			deadline = threads[i].wakeup_ns;
		if (threads[i].state == HYPERSTEP_THREAD_RUNNABLE && &tasks[i] != next && now + TIME_SLICE_NS < deadline)
			deadline = now + TIME_SLICE_NS;
	}
	if (deadline == ~0ULL)
		apic_timer_stop();
	else
		apic_timer_oneshot(deadline > now ? deadline - now : 0);
}

/* What a thread does first when it has got the processor. */
void schedule_tail(void)
{
	if (previous->vcpu)
		kvm_sched_out(previous->vcpu);
	if (current->vcpu)
		kvm_sched_in(current->vcpu);
	local_irq_enable();
}

/* Gives the processor to the next thread. Comes back, with interrupts enabled, when it is this one's turn again. */
void schedule(void)
{
	struct task_struct *next;
	u64 now;

	local_irq_disable();
	now = sched_clock();
	if (current->thread->state == HYPERSTEP_THREAD_RUNNING)
		current->thread->state = HYPERSTEP_THREAD_RUNNABLE;
	wake_up_sleepers(now);
	resched = false;
	next = pick_next_task();
	program_timer(next, now);
	next->thread->state = HYPERSTEP_THREAD_RUNNING;
	if (next == current) {
		local_irq_enable();
		return;
	}
	previous = current;
	current = next;
	hyperstep_host.current_thread = (unsigned int)(next - tasks);
	__switch_to_asm(previous->thread, next->thread);
	schedule_tail();
}

/* The timer interrupt: a sleep is over, or the slice is. */
void scheduler_tick(void)
{
	wake_up_sleepers(sched_clock());
	resched = true;
}

void block_current(enum hyperstep_thread_state state)
{
	local_irq_disable();
	current->thread->state = state;
	schedule();
}

/* A kick of the vCPU wakes its thread too: then it sleeps on. */
void msleep(unsigned int msecs)
{
	u64 deadline = sched_clock() + msecs * NS_PER_MS;

	do {
		local_irq_disable();
		current->thread->wakeup_ns = deadline;
		current->thread->state = HYPERSTEP_THREAD_SLEEPING;
		schedule();
	} while (sched_clock() < deadline);
}

static bool anyone_sleeps(void)
{
	for (unsigned int i = 1; i < hyperstep_host.nr_threads; i++)
		if (threads[i].state == HYPERSTEP_THREAD_SLEEPING)
			return true;
	return false;
}

void cpu_startup_entry(void)
{
	for (;;) {
		schedule();
		local_irq_disable();
		if (need_resched())
			continue;
		/* Nobody runs, or this thread would not. Only a timer can change that: there are no other devices. */
		if (!anyone_sleeps())
			return;
		safe_halt();
	}
}
