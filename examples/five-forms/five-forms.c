/*
 * The five forms of a KVM hypercall, with 0 to 4 operands, as Linux uses each of them: the number in RAX, the operands
 * in RBX, RCX, RDX and RSI.
 */
#include <hyperstep/guest.h>
#include <kvm_para.h>

#define OTHER_CPU 1 /* an APIC id that no vCPU has: the kick goes nowhere */
#define VECTOR 0x30

static void expect(const char *name, long result, long expected)
{
	serial_puts(name);
	serial_puts(" = ");
	serial_put_decimal(result);
	serial_putc('\n');
	if (result != expected)
		guest_fail(1);
}

void _start(void)
{
	expect("hypercall0(HELLO)", kvm_hypercall0(KVM_HC_HYPERSTEP_HELLO), KVM_HYPERSTEP_HELLO_ANSWER);
	/* This host knows the number, but does not answer it. */
	expect("hypercall1(SCHED_YIELD, apicid)", kvm_hypercall1(KVM_HC_SCHED_YIELD, OTHER_CPU), -KVM_ENOSYS);
	expect("hypercall2(KICK_CPU, flags, apicid)", kvm_hypercall2(KVM_HC_KICK_CPU, 0, OTHER_CPU), 0);
	expect("hypercall3(MAP_GPA_RANGE, gpa, pages, attributes)",
	       kvm_hypercall3(KVM_HC_MAP_GPA_RANGE, 0x200000, 16, 0x10), -KVM_ENOSYS);
	expect("hypercall4(SEND_IPI, low, high, first, icr)",
	       kvm_hypercall4(KVM_HC_SEND_IPI, 0x2, 0, 0, VECTOR), -KVM_ENOSYS);
	guest_done();
}
