// SPDX-License-Identifier: MIT
/* The host from power-on to the end of its guest. */
#include "kernel/kernel.h"
#include "kernel/processor.h"
#include "kernel/sched.h"
#include "kvm.h"
#include "vmm.h"
#include "vmx/vmx.h"

#define MULTIBOOT_BOOTLOADER_MAGIC 0x2BADB002

void start_kernel(u32 magic, u32 multiboot_info);

/* Why KVM_RUN came back: the end of this vCPU in every case. */
static void report_exit(struct kvm_vcpu *vcpu)
{
	const struct kvm_run *run = &vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_SHUTDOWN:
		printk("kvm: vcpu %d: triple fault, rip %#lx\n", vcpu->vcpu_id, kvm_rip_read(vcpu));
		break;
	case KVM_EXIT_FAIL_ENTRY:
		printk("kvm: vcpu %d: VM entry failed, hardware reason %#x: %s\n", vcpu->vcpu_id,
		       run->hardware_entry_failure_reason, run->entry_failure);
		vmx_dump_entry_failure(vcpu);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		printk("kvm: vcpu %d: KVM_EXIT_INTERNAL_ERROR: %s %#llx, rip %#lx\n", vcpu->vcpu_id,
		       run->internal_error, run->internal_data, kvm_rip_read(vcpu));
		break;
	case KVM_EXIT_UNKNOWN:
		printk("kvm: vcpu %d: KVM_EXIT_UNKNOWN, rip %#lx\n", vcpu->vcpu_id, kvm_rip_read(vcpu));
		break;
	}
}

static void vcpu_thread(void *arg)
{
	struct kvm_vcpu *vcpu = arg;

	kvm_arch_vcpu_ioctl_run(vcpu);
	report_exit(vcpu);
	block_current(HYPERSTEP_THREAD_DEAD);
	panic("a dead thread runs");
}

static void create_vcpu_thread(struct kvm_vcpu *vcpu)
{
	char *name = alloc_pages_exact(16);

	snprintf(name, 16, "CPU %d/KVM", vcpu->vcpu_id);
	vcpu->task = kthread_create(name, vcpu, vcpu_thread, vcpu);
	vcpu->task->thread->vmcs_pa = __pa(to_vmx(vcpu)->vmcs);
	wake_up_process(vcpu->task);
}

static void report_stat(struct kvm *kvm)
{
	for (unsigned int id = 0; id < kvm->created_vcpus; id++) {
		const struct kvm_vcpu_stat *stat = &kvm->vcpus[id]->stat;

		printk("kvm: vcpu %u: %llu exits, %llu hypercalls, %llu halts, %llu I/O, %llu interrupts, %llu EPT violations\n",
		       id, stat->exits, stat->hypercalls, stat->halt_exits, stat->io_exits, stat->irq_exits,
		       stat->ept_violations);
	}
}

/* A vCPU came to something that this host has not got; a triple fault and a refused VM entry are the guest's own. */
static bool any_internal_error(struct kvm *kvm)
{
	for (unsigned int id = 0; id < kvm->created_vcpus; id++)
		if (kvm->vcpus[id]->run.exit_reason == KVM_EXIT_INTERNAL_ERROR)
			return true;
	return false;
}

/* Nothing can wake anyone any more: this is how the machine ends. */
static void __noreturn power_off(struct kvm *kvm)
{
	printk("kvm: all vCPUs are halted or dead: the guest is over\n");
	if (any_internal_error(kvm))
		machine_failed();
	for (;;)
		__asm__ volatile("cli; hlt");
}

void start_kernel(u32 magic, u32 multiboot_info)
{
	struct boot_params params;
	struct guest_layout layout;
	struct kvm *kvm;
	u64 entry;

	time_init();
	console_init();
	if (magic != MULTIBOOT_BOOTLOADER_MAGIC)
		panic("not started by a multiboot loader: EAX was %#x", magic);
	parse_boot_params(&params, multiboot_info);
	cpu_init();
	apic_init();
	sched_init();
	hardware_enable();

	kvm = kvm_create_vm(params.memory, params.nr_vcpus, params.hyperv);
	layout = guest_layout(&params);
	entry = load_guest_elf(kvm, &params, layout.start);
	setup_guest_tables(kvm, &params, &layout);
	for (unsigned int id = 0; id < params.nr_vcpus; id++)
		setup_guest_vcpu(kvm->vcpus[id], &params, &layout, entry);
	printk("kvm: guest %s: %u vCPUs, %lu MiB, %s mode, entry %#llx\n", params.program_name, params.nr_vcpus,
	       params.memory >> 20, params.long_mode ? "long" : "protected", entry);
	for (unsigned int id = 0; id < params.nr_vcpus; id++)
		create_vcpu_thread(kvm->vcpus[id]);

	hyperstep_handlers_update();
	cpu_startup_entry();
	report_stat(kvm);
	power_off(kvm);
}
