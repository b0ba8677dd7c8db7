/** Hypercalls under the KVM host, each behaviour by a small guest that makes the host show it. */
import assert from 'node:assert/strict';
import type { PreparedLaunch } from '../debug-adapter/launch/prepareLaunch.js';
import { call, check, MODES } from './kvmGuest.js';

const ENOSYS = '0xfffffffffffffc18';
const EPERM = '0xffffffffffffffff';

/** A handlers file with one hypercall that does this and returns 0. */
const handler = (name: string, nr: number, statements: string): string => `#include <hyperstep/hypercall.h>
static unsigned long ${name}(struct kvm_vcpu *vcpu, unsigned long a0, unsigned long a1, unsigned long a2, unsigned long a3)
{
${statements}
	return 0;
}
HYPERCALL(${nr}, "${name}", ${name});
`;

/** Own hypercall 50: the sum of its operands, whatever their width. */
const SUM = handler('sum', 50, '	return a0 + a1 + a2 + a3;');

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

    it('a vCPU that kicks itself passes its next HLT, and one only', () =>
      check(
        `${call('KVM_HC_KICK_CPU', 0, 0)}${call('KVM_HC_KICK_CPU', 0, 0)}	hlt
	report	$1
	hlt
	report	$2`,
        { reports: ['0x1'], results: ['0x0', '0x0'], log: [/ 2 halts/] },
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
    const SLEEP = handler('nap', 60, '	msleep(a0);');

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

    it('write to the host’s log as C’s printf does', async () => {
      const cases: readonly [format: string, argument: string, text: string][] = [
        ['[%-5d][%5d][%05d]', '3, -12, -42', '[3    ][  -12][-0042]'],
        ['[%#lx][%#010lx][%X]', '0xfful, 0x1234ul, 0xabc', '[0xff][0x00001234][ABC]'],
        ['[%-4s][%.2s][%c]', '"ab", "xyz", 99', '[ab  ][xy][c]'],
        ['[%zu][%llu][%.3d][%i%%]', 'sizeof(int), ~0ull, 5, 1', '[4][18446744073709551615][005][1%]'],
      ];
      const lines = cases.map(([format, argument]) => `	printk("${format}\\n", ${argument});`).join('\n');
      const { log } = await check(call(61), { results: ['0x0'] }, { handlers: handler('tell', 61, lines) });
      for (const [, , text] of cases) assert.ok(log.includes(`] ${text}\n`), `${text} in ${log}`);
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
