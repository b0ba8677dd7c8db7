/** The KVM host's behaviour, each by a small guest that makes the host show it. */
import assert from 'node:assert/strict';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import type { KvmOptions, KvmRun } from './kvmGuest.js';
import { runKvmGuest } from './kvmGuest.js';

interface Expected {
  readonly status?: number;
  readonly reports?: readonly string[];
  /** `after.rax` of the hypercalls that are no reports. */
  readonly results?: readonly string[];
  /** Must stand in the host's log. */
  readonly log?: readonly RegExp[];
}

async function check(code: string, expected: Expected, options: KvmOptions = {}): Promise<KvmRun> {
  const run = await runKvmGuest(code, options);
  assert.deepEqual(
    {
      reports: run.reports,
      results: expected.results && run.hypercalls.map(({ after }) => after?.rax),
      status: run.status,
    },
    { reports: expected.reports ?? [], results: expected.results, status: expected.status ?? 0 },
    `${run.log}${run.explanation ?? ''}`,
  );
  for (const pattern of expected.log ?? []) assert.match(run.log, pattern);
  return run;
}

const ENOSYS = '0xfffffffffffffc18';
const EPERM = '0xffffffffffffffff';

const call = (nr: number | string, ...operands: (number | string)[]): string =>
  ['rax', 'rbx', 'rcx', 'rdx', 'rsi']
    .slice(0, operands.length + 1)
    .map((register, i) => `	movabsq	$${[nr, ...operands][i]}, %${register}\n`)
    .join('') + '	vmcall\n';

/** Runs code at CPL 3, or in compatibility mode, and comes back by SYSCALL or a far jump. */
const MODES = `
	.set	USER_CODE, 0x23
	.set	USER_DATA, 0x1b
	.set	CODE32, 0x18
	jmp	modes_end

open_to_user:
	subq	$16, %rsp		/* RSP0 of the TSS, for exceptions at CPL 3 */
	sgdt	(%rsp)
	movq	2(%rsp), %rax
	addq	$16, %rsp
	movl	42(%rax), %ecx		/* base 23:0, and 31:24, of descriptor 5 */
	andl	$0xffffff, %ecx
	movzbl	47(%rax), %edx
	shll	$24, %edx
	orl	%edx, %ecx
	leaq	-1024(%rsp), %rdx
	movq	%rdx, 4(%rcx)
	movq	%cr3, %rax
	orq	$4, (%rax)
	movq	(%rax), %rax
	andq	$-4096, %rax
	orq	$4, (%rax)
	movq	(%rax), %rax
	andq	$-4096, %rax
	orq	$4, (%rax)
	movq	%cr3, %rax
	movq	%rax, %cr3
	movl	$0xc0000081, %ecx	/* STAR, LSTAR */
	xorl	%eax, %eax
	movl	$8, %edx
	wrmsr
	incl	%ecx
	movq	%r12, %rax
	xorl	%edx, %edx
	wrmsr
	ret

	.macro	at_cpl3 label, kernel
	leaq	\\kernel(%rip), %r12
	call	open_to_user
	pushq	$USER_DATA
	leaq	-256(%rsp), %rax
	pushq	%rax
	pushq	$2
	pushq	$USER_CODE
	leaq	\\label(%rip), %rax
	pushq	%rax
	iretq
	.endm

	.macro	in_compatibility_mode label
	lgdt	gdt_descriptor(%rip)
	pushq	$CODE32
	leaq	\\label(%rip), %rax
	pushq	%rax
	lretq
	.endm

	.data
	.balign	8
gdt:
	.quad	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_descriptor:
	.word	31
	.quad	gdt
	.text
modes_end:
`;

/** Own hypercall 50: the sum of its operands, whatever their width. */
const SUM = `#include <hyperstep/hypercall.h>
static unsigned long sum(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
	return a0 + a1 + a2 + a3;
}
HYPERCALL(50, "sum", sum);
`;

describe('KVM host', () => {
  describe('kvm_emulate_hypercall', () => {
    it('takes all of the registers in 64-bit mode', () =>
      check(
        call(50, '0x100000001', '0x200000002', '0x300000003', '0x8000000400000004'),
        { results: ['0x8000000a0000000a'] },
        { handlers: SUM },
      ));

    it('cuts number, operands and result to 32 bits where CS.L is 0, though EFER.LMA is 1', () =>
      check(
        `${MODES}
	movabsq	$0x1100000001, %rbx
	movabsq	$0x2200000002, %rcx
	movabsq	$0x33fffffffd, %rdx
	movabsq	$0x4400000004, %rsi
	pushq	%rax
	lgdt	gdt_descriptor(%rip)
	pushq	$CODE32
	leaq	compatibility(%rip), %rax
	pushq	%rax
	movabsq	$0x5500000032, %rax
	lretq
	.code32
compatibility:
	vmcall
	movl	$77, %eax
	vmcall
	ljmp	$8, $back
	.code64
back:`,
        { results: ['0x4', '0xfffffc18'] },
        { handlers: SUM },
      ));

    it('answers callers above CPL 0 with -KVM_EPERM, before it looks at the number', () =>
      check(
        `${MODES}	at_cpl3 user, kernel
user:
${call('KVM_HC_HYPERSTEP_HELLO')}${call(50, 1)}${call('0x1234')}	syscall
kernel:`,
        { results: [EPERM, EPERM, EPERM], log: [/ 3 hypercalls/] },
        { handlers: SUM },
      ));

    it('gives 0 for KVM_HC_VAPIC_POLL_IRQ', () => check(call('KVM_HC_VAPIC_POLL_IRQ'), { results: ['0x0'] }));

    it('gives -KVM_ENOSYS for numbers that nobody answers', () => {
      const numbers = [0, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 99, 101, '0xffffffffffffffff'];
      return check(numbers.map((nr) => call(nr, 1, 2, 3, 4)).join(''), {
        results: numbers.map(() => ENOSYS),
        log: [new RegExp(` ${numbers.length} hypercalls`)],
      });
    });

    it('changes RAX and no other register', async () => {
      const run = await check(
        `	movq	$0x71, %rdi
	movq	$0x78, %r8
	movq	$0x7f, %r15
${call('KVM_HC_HYPERSTEP_HELLO', '0xb', '0xc', '0xd', '0xe')}
	report	%rdi
	report	%r8
	report	%r15`,
        { reports: ['0x71', '0x78', '0x7f'], results: ['0x55aa'] },
      );
      const { before, after } = run.hypercalls[0];
      assert.deepEqual({ ...after, rax: before.rax }, before);
    });

    it('writes the tracepoint before it cuts the operands', async () => {
      const run = await check(
        `${MODES}
	movabsq	$0xb00000001, %rbx
	in_compatibility_mode compatibility
	.code32
compatibility:
	movl	$55, %eax
	vmcall
	ljmp	$8, $back
	.code64
back:`,
        { results: ['0xfffffc18'] },
      );
      assert.deepEqual(traced(run.launch, TRACE_KVM_HYPERCALL)[0].slice(0, 2), [55n, 0xb00000001n]);
    });
  });

  describe('KVM_HC_KICK_CPU and HLT', () => {
    it('a kick before the HLT is not lost', () =>
      check(
        `	testl	%edi, %edi
	jnz	vcpu1
${call('KVM_HC_KICK_CPU', 0, 1)}	movl	$1, kicked(%rip)
	jmp	end
vcpu1:
	pause
	cmpl	$0, kicked(%rip)
	je	vcpu1
	cli
	hlt
	report	$1
	.data
kicked:	.long	0
	.text`,
        { reports: ['0x1'], results: ['0x0'], log: [/vcpu 1: .* 2 halts/] },
        { vcpus: 2 },
      ));

    it('takes the APIC id in 32 bits, 0xff as everyone, and an absent one as no error', () =>
      check(
        `	testl	%edi, %edi
	jnz	other
wait:
	pause
	cmpl	$2, halting(%rip)
	jne	wait
${call('KVM_HC_KICK_CPU', 0, 9)}${call('KVM_HC_KICK_CPU', 0, '0x7700000001')}
wait_for_1:
	pause
	cmpl	$3, halting(%rip)
	jne	wait_for_1
${call('KVM_HC_KICK_CPU', 0, 255)}	hlt
	jmp	end
other:
	lock incl	halting(%rip)
	hlt
	report	%rdi
	lock incl	halting(%rip)
	hlt
	report	%rdi
	.data
halting:	.long	0
	.text`,
        { reports: ['0x1', '0x1', '0x2'], results: ['0x0', '0x0', '0x0'] },
        { vcpus: 3 },
      ));

    it('a guest is over when all its vCPUs are halted', () =>
      check('', { log: [/vcpu 62: .* 1 halts/, /the guest is over/] }, { vcpus: 63 }));
  });

  describe('handlers that sleep', () => {
    const SLEEP = `#include <hyperstep/hypercall.h>
static unsigned long nap(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
	msleep(a0);
	return 0;
}
HYPERCALL(60, "nap", nap);
`;

    it('block their vCPU and no other, which runs and makes calls of its own meanwhile', async () => {
      const { calls } = await check(
        `	testl	%edi, %edi
	jnz	vcpu1
${call(60, 5)}	movl	$1, done(%rip)
	jmp	end
vcpu1:
${call('KVM_HC_VAPIC_POLL_IRQ')}	cmpl	$0, done(%rip)
	je	vcpu1
	.data
done:	.long	0
	.text`,
        {},
        { vcpus: 2, handlers: SLEEP },
      );
      const [nap, ...polls] = calls;
      assert.deepEqual([nap.name, nap.vcpu, nap.result], ['nap', 0, '0x0']);
      assert.deepEqual(new Set(polls.map(({ vcpu, result }) => `${vcpu} ${result}`)), new Set(['1 0x0']));
      const during = polls.filter(({ virtualNs }) => virtualNs - nap.virtualNs < 5e6);
      assert.ok(during.length > 1000, `${during.length} calls of vCPU 1 while vCPU 0 slept`);
    });

    it('a kick does not end the sleep of a handler', async () => {
      const { launch } = await check(
        `	testl	%edi, %edi
	jnz	vcpu1
${call(60, 5)}	hlt
	jmp	end
vcpu1:
${call('KVM_HC_KICK_CPU', 0, 0)}`,
        { results: ['0x0', '0x0'] },
        { vcpus: 2, handlers: SLEEP },
      );
      assert.ok(launch.machine.virtualNs >= 5e6, `the machine ended after ${launch.machine.virtualNs} ns`);
    });
  });

  describe('Hyper-V', () => {
    const HYPERV = { append: 'hyperv=1' };
    const guestOsId = `
	movl	$0x40000000, %ecx	/* HV_X64_MSR_GUEST_OS_ID */
	movl	$0x8100, %eax
	xorl	%edx, %edx
	wrmsr`;

    it('is not there unless the command line asks for it', () =>
      check(
        `	movl	$0x40000000, %ecx
	try	rdmsr
	movl	$0x40000000, %eax
	cpuid
	report	%rcx`,
        { reports: ['#GP(0x0)+0', '0x564b4d56'] },
      ));

    it('has its own leaves, and KVM its own 0x100 above', () =>
      check(
        `	movl	$0x40000000, %eax
	cpuid
	report	%rcx
	movl	$0x40000001, %eax
	cpuid
	report	%rax
	movl	$0x40000100, %eax
	cpuid
	movl	%eax, %edi
	report	%rcx
	report	%rdi`,
        { reports: ['0x666f736f', '0x31237648', '0x564b4d56', '0x40000101'] },
        HYPERV,
      ));

    it('answers all hypercalls once the guest has said who it is', () =>
      check(
        `${call('KVM_HC_HYPERSTEP_HELLO')}${guestOsId}
	movl	$8, %ecx		/* HVCALL_NOTIFY_LONG_SPIN_WAIT */
	vmcall
	movl	$0x7777, %ecx
	vmcall
	movabsq	$0x100000008, %rcx	/* not a repeated call */
	vmcall`,
        { results: ['0x55aa', '0x0', '0x2', '0x3'] },
        HYPERV,
      ));

    it('returns in EDX:EAX outside 64-bit mode', async () => {
      const { hypercalls } = await check(
        `${MODES}${guestOsId}
	in_compatibility_mode compatibility
	.code32
compatibility:
	movl	$0x7777, %eax
	movl	$0, %edx
	vmcall
	ljmp	$8, $back
	.code64
back:`,
        { results: ['0x2'] },
        HYPERV,
      );
      assert.equal(hypercalls[0].after?.rdx, '0x0');
    });

    it('is #UD at CPL 3', () =>
      check(
        `${MODES}${guestOsId}
	at_cpl3 user, kernel
user:
	try	vmcall
	syscall
kernel:`,
        // The handler's own report is a Hyper-V call of CPL 0 then, with its registers in the trace.
        { reports: ['#UD+0'] },
        HYPERV,
      ));

    it('writes the hypercall page', async () => {
      const run = await check(
        `${guestOsId}
	incl	%ecx			/* HV_X64_MSR_HYPERCALL: page 0x200000, enabled */
	movl	$0x200001, %eax
	wrmsr
	movl	$8, %ecx
	movl	$0x200000, %ebx
	call	*%rbx`,
        { results: ['0x0'] },
        HYPERV,
      );
      assert.equal(hexBytes(run.readGuest(0x200000, 4)), '0f 01 c1 c3');
    });
  });

  describe('VMMCALL', () => {
    it('is rewritten to VMCALL in guest memory, also where it lies on two pages', async () => {
      const run = await check(
        `	movl	$KVM_HC_HYPERSTEP_HELLO, %eax
	jmp	call_host
	.balign	4096
	.skip	4094
call_host:
	vmmcall
	leaq	call_host(%rip), %rdi
	report	%rdi`,
        { reports: ['0x101ffe'], results: ['0x55aa'], log: [/VMMCALL at 0x101ffe rewritten to VMCALL/] },
      );
      assert.equal(run.hypercalls[0].kind, 'kvm-vmmcall');
      assert.equal(hexBytes(run.readGuest(0x101ffe, 3)), '0f 01 c1');
    });

    it('in read-only text is the #PF of the write', () =>
      check(
        `	movq	%cr3, %rax		/* a page directory entry of 2 MBytes at 0x200000, not writable */
	movq	(%rax), %rax
	andq	$-4096, %rax
	movq	(%rax), %rax
	andq	$-4096, %rax
	movb	$0x0f, 0x200000
	movw	$0xd901, 0x200001
	movb	$0xc3, 0x200003
	andq	$-3, 8(%rax)
	movq	%cr3, %rax
	movq	%rax, %cr3
	leaq	behind(%rip), %r15
	movl	$0x200000, %r14d
	jmp	*%r14
behind:`,
        { reports: ['#PF(0x3)+0 CR2 0x200000'] },
      ));
  });

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

const TRACE_KVM_HYPERCALL = 3;
const TRACE_ENTRY_SIZE = 56;

/** Arguments of the entries of one kind in the host's trace_ring (trace.h), oldest first. */
function traced({ machine, host }: PreparedLaunch, event: number): bigint[][] {
  const symbol = host?.debugInfo.symbolNamed('trace_ring');
  assert.ok(symbol);
  const bytes = machine.readLinear(symbol.address, Number(symbol.size));
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const entries = Array.from(
    { length: Number(view.getBigUint64(0, true)) },
    (_, i) => 8 + i * TRACE_ENTRY_SIZE,
  );
  return entries
    .filter((at) => view.getUint32(at + 8, true) === event)
    .map((at) => Array.from({ length: 5 }, (_, i) => view.getBigUint64(at + 16 + i * 8, true)));
}

const hexBytes = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
