/** VM exits other than hypercalls under the KVM host, each behaviour by a small guest that makes the host show it. */
import assert from 'node:assert/strict';
import { check } from './kvmGuest.js';

describe('KVM host: VM exits', () => {
  describe('exceptions', () => {
    it('other invalid opcodes are the guest’s #UD, VMX instructions included', () =>
      check(
        `	try	ud2
	try	vmlaunch
	try	vmxoff
	try	monitor
	try	mwait`,
        { reports: ['#UD+0', '#UD+0', '#UD+0', '#UD+0', '#UD+0'] },
      ));

    it('a guest without a handler triple-faults: status 70 and the first exception as the reason', async () => {
      const { explanation } = await check('	lidt	no_idt(%rip)\n	ud2\nno_idt:	.word	0\n	.quad	0', {
        status: 70,
        log: [/vcpu 0: triple fault, rip 0x/],
      });
      assert.match(
        explanation ?? '',
        /^the guest triple-faulted: #UD invalid opcode; in the guest at 0x.*guest\.S:\d+\)$/,
      );
    });

    it('an exception that the host injects and the guest cannot take is named, too', async () => {
      const { explanation } = await check(
        '	lidt	no_idt(%rip)\n	movl	$0x123, %ecx\n	rdmsr\nno_idt:	.word	0\n	.quad	0',
        { status: 70 },
      );
      assert.match(
        explanation ?? '',
        /^the guest triple-faulted: #GP, injected by its host; in the guest at 0x\w+ \(.*guest\.S:\d+\)$/,
      );
    });

    it('single steps trap behind instructions that exit, and behind those that do not', () =>
      check(
        `	leaq	stepped(%rip), %r14
	pushfq
	orl	$0x100, (%rsp)
	popfq
stepped:
	nop
	cpuid
	inb	$0x70, %al
	pushfq
	andl	$~0x100, (%rsp)
	popfq`,
        {
          reports: [1, 3, 5, 6, 13, 14].map((at) => `#DB+${at} DR6 0xffff4ff0`),
        },
      ));

    it('DR7.GD guards the debug registers once', () =>
      check(
        `	movl	$0x2400, %eax
	movq	%rax, %dr7
	leaq	guarded(%rip), %r14
guarded:
	movq	%dr7, %rdi
	report	%rdi`,
        { reports: ['#DB+0 DR6 0xffff2ff0', '0x400'] },
      ));

    it('hardware breakpoints, which the machine does not raise, stop it by their name', async () => {
      const { explanation } = await check('	movl	$0x402, %eax\n	movq	%rax, %dr7', { status: 70 });
      assert.match(explanation ?? '', /^hardware breakpoints .* not implemented/);
    });
  });

  describe('CPUID', () => {
    it('has the KVM signature and features; leaves beyond answer as the highest basic one', () =>
      check(
        ['0x40000000', '0x40000001', '0x40000002', '0x15', '0x7fffffff']
          .map((leaf) => `	movl	$${leaf}, %eax\n	cpuid\n	movq	%rbx, %rdi\n	report	%rax\n	report	%rdi\n`)
          .join(''),
        {
          reports: [
            ...['0x40000001', '0x4b4d564b'],
            ...['0x80', '0x0'],
            ...['0x1', '0x1', '0x1', '0x1', '0x1', '0x1'],
          ],
        },
      ));

    it('tells of a hypervisor, the APIC id and no FPU', () =>
      check(
        `	movl	$1, %eax
	cpuid
	movq	%rbx, %rdi
	movq	%rdx, %rsi
	report	%rcx
	shrl	$24, %edi
	report	%rdi
	andl	$0x02000201, %esi	/* SSE, APIC, FPU */
	report	%rsi`.replace('report	%rcx', 'btl $31, %ecx\n sbbl %ecx, %ecx\n report %rcx'),
        { reports: ['0xffffffff', '0x0', '0x0'] },
      ));
  });

  describe('ports', () => {
    it('that are not there read as all ones, said once', () =>
      check(
        `	movabsq	$0x1122334455667788, %rax
	inb	$0x70, %al
	report	%rax
	movabsq	$0x1122334455667788, %rax
	inw	$0x70, %ax
	report	%rax
	movabsq	$0x1122334455667788, %rax
	inl	$0x70, %eax
	report	%rax
	outl	%eax, $0x80`,
        {
          reports: ['0x11223344556677ff', '0x112233445566ffff', '0xffffffff'],
          log: [/there is no port 0x70 .*\n.*there is no port 0x80/],
        },
      ));

    it('string instructions go through the guest’s pages, count down, and fault before they have an effect', async () => {
      const run = await check(
        `	movl	$COM1, %edx
	leaq	text(%rip), %rsi
	movl	$3, %ecx
	rep	outsb
	report	%rcx
	movl	$0x70, %edx
	movl	$0x300000, %edi
	movl	$2, %ecx
	rep	insw
	report	%rdi
	movabsq	$0xdead0000000, %rdi
	movl	$1, %ecx
	try	insl
	report	0x300000
	.data
text:	.ascii	"abc"
	.text`,
        { reports: ['0x0', '0x300004', '#PF(0x2)+0 CR2 0xdead0000000', '0xffffffff'] },
      );
      assert.equal(run.console, 'abc');
    });

    it('0xf4 ends the machine with (V << 1) | 1', () =>
      check('	movb	$0x15, %al\n	outb	%al, $DEBUG_EXIT', { status: 0x2b }));
  });

  describe('MSRs', () => {
    it('that are not there, and values that are not allowed, are #GP', () =>
      check(
        `	movl	$0x123, %ecx
	try	rdmsr
	movl	$0x123, %ecx
	try	wrmsr
	movl	$0xc0000082, %ecx	/* LSTAR: not canonical */
	movl	$0x80000000, %edx
	try	wrmsr
	movl	$0xc0000080, %ecx	/* EFER: a reserved bit */
	movl	$0x2, %eax
	xorl	%edx, %edx
	try	wrmsr`,
        {
          reports: ['#GP(0x0)+0', '#GP(0x0)+0', '#GP(0x0)+0', '#GP(0x0)+0'],
          log: [/RDMSR of MSR 0x123 at rip 0x\w+: #GP/, /WRMSR of MSR 0x123/],
        },
      ));

    it('keep what is written, each vCPU its own', () =>
      check(
        `	movl	%edi, %r13d
	movl	$0xc0000082, %ecx
	leal	0x1000(%rdi), %eax
	xorl	%edx, %edx
	wrmsr
	movl	$0xc0000102, %ecx	/* KERNEL_GS_BASE, by SWAPGS too */
	wrmsr
	swapgs
	movl	$0xc0000101, %ecx
	rdmsr
	leaq	0x100(%rax), %rdi
	movl	$200000, %ecx		/* longer than a time slice */
	loop	.
	movl	$0xc0000082, %ecx
	rdmsr
	report	%rax
	report	%rdi`,
        { reports: ['0x1000', '0x1100', '0x1001', '0x1101'] },
        { vcpus: 2 },
      ));
  });

  describe('control registers', () => {
    it('refuse what the guest’s CPUID does not offer and what the manual forbids', () =>
      check(
        `	movq	%cr4, %rax
	orl	$0x2000, %eax		/* VMXE */
	try	movq %rax, %cr4
	movq	%cr4, %rax
	andl	$~0x20, %eax		/* PAE, in long mode */
	try	movq %rax, %cr4
	movq	%cr0, %rax
	andl	$~1, %eax		/* PE without PG */
	try	movq %rax, %cr0
	movq	%cr0, %rax
	btrl	$31, %eax		/* PG, in 64-bit mode */
	try	movq %rax, %cr0
	movq	%cr0, %rdi
	report	%rdi`,
        { reports: ['#GP(0x0)+0', '#GP(0x0)+0', '#GP(0x0)+0', '#GP(0x0)+0', '0x80010031'] },
      ));

    it('TS set and cleared again is seen by the guest', () =>
      check(
        `	movq	%cr0, %rax
	orl	$8, %eax
	movq	%rax, %cr0
	movq	%cr0, %rdi
	report	%rdi
	clts
	movq	%cr0, %rdi
	report	%rdi`,
        { reports: ['0x80010039', '0x80010031'] },
      ));
  });

  describe('EPT violations', () => {
    it('map guest memory when it is touched', () =>
      check(
        `	movl	$0x11, 0x3000000
	movl	0x3000000, %edi
	report	%rdi`,
        { reports: ['0x11'], log: [/ 3 EPT violations/] },
      ));

    it('outside guest memory end the vCPU with the address, and the machine with status 255', () =>
      check(
        `	movq	%cr3, %rax
	movq	(%rax), %rax
	andq	$-4096, %rax
	movl	$0xc0000083, 24(%rax)	/* 1 GByte at 3 GBytes, where there is no memory */
	movl	$0xc0000000, %ebx
	movl	(%rbx), %eax`,
        {
          status: 255,
          log: [
            /KVM_EXIT_INTERNAL_ERROR: access outside guest memory, guest-physical address 0xc0000000, rip/,
          ],
        },
      ));
  });
});
