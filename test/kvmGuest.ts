/**
 * Small guests for tests of the KVM host. A guest tells what it sees by hypercalls that nobody answers, which the trace
 * shows: `report VALUE` with the value in RBX, and its exception handlers with error code, place and CR2 or DR6.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TraceLine } from '../cli/trace.js';
import type { HyperstepLaunchArguments } from '../debug-adapter/protocol.js';
import type { GuestRun } from './runGuest.js';
import { runGuest } from './runGuest.js';

const REPORT = 0x2000n;
const FAULT = 0x1000n;

const HANDLED = [
  { vector: 1, mnemonic: '#DB', hasErrorCode: false },
  { vector: 6, mnemonic: '#UD', hasErrorCode: false },
  { vector: 13, mnemonic: '#GP', hasErrorCode: true },
  { vector: 14, mnemonic: '#PF', hasErrorCode: true },
] as const;

/** Traps go on where they are; faults go on behind the instruction that `try` wraps. */
const handler = ({ vector, hasErrorCode }: (typeof HANDLED)[number]): string => `
handle_${vector}:
	${hasErrorCode ? 'popq	%rbx' : 'xorl	%ebx, %ebx'}
	movq	(%rsp), %rcx
	subq	%r14, %rcx
	movq	${vector === 1 ? '%dr6' : '%cr2'}, %rdx
	movl	$${FAULT} + ${vector}, %eax
	vmcall
	${vector === 1 ? 'xorl	%eax, %eax\n\tmovq	%rax, %dr6' : 'movq	%r15, (%rsp)'}
	iretq`;

const PRELUDE = `
#include <kvm_para.h>
#include <hyperstep/guest.h>
	.macro	report value
	movq	\\value, %rbx
	movl	$${REPORT}, %eax
	vmcall
	.endm

	/* The instruction may fault: the place that is reported counts from it, and the guest goes on behind it. */
	.macro	try instruction:vararg
	leaq	1f(%rip), %r14
	leaq	2f(%rip), %r15
1:	\\instruction
2:
	.endm

	.text
	.globl	_start
_start:
${HANDLED.map(({ vector }) => `	movl	$${vector}, %ecx\n	leaq	handle_${vector}(%rip), %rax\n	call	set_gate`).join('\n')}
	lidt	idt_descriptor(%rip)
	jmp	test

set_gate:
	shll	$4, %ecx
	leaq	idt(%rip), %rdx
	addq	%rcx, %rdx
	movw	%ax, (%rdx)
	movw	$8, 2(%rdx)
	movw	$0x8e00, 4(%rdx)
	shrq	$16, %rax
	movw	%ax, 6(%rdx)
	shrq	$16, %rax
	movl	%eax, 8(%rdx)
	ret
${HANDLED.map(handler).join('\n')}

	.data
	.balign	8
idt_descriptor:
	.word	4095
	.quad	idt
	.bss
	.balign	4096
idt:
	.skip	4096
	.text
test:
`;

/** Ends a test guest, with status 0 when every vCPU comes to it. */
const EPILOGUE = `
end:
	cli
	hlt
	jmp	end
`;

export interface KvmRun extends GuestRun {
  /** What the guest reported, in order: `0x2a`, `#GP(0x0)+0`, `#PF(0x3)+0 CR2 0x200000`, `#DB+2 DR6 0xffff4ff0`. */
  readonly reports: readonly string[];
  /** Hypercalls that are no reports. */
  readonly hypercalls: readonly TraceLine[];
}

export type KvmOptions = Omit<HyperstepLaunchArguments, 'program' | 'handlers'> & {
  /** C source of a handlers file. */
  readonly handlers?: string;
};

/** Assembles the code behind the prelude, runs it under the KVM host, and takes the reports out of the trace. */
export async function runKvmGuest(code: string, options: KvmOptions = {}): Promise<KvmRun> {
  const folder = mkdtempSync(path.join(tmpdir(), 'hyperstep-kvm-'));
  try {
    const { handlers: source, ...args } = options;
    const program = path.join(folder, 'guest.S');
    writeFileSync(program, PRELUDE + code + EPILOGUE);
    const handlers = source === undefined ? undefined : path.join(folder, 'handlers.c');
    if (handlers !== undefined) writeFileSync(handlers, source!);
    const run = await runGuest({ program, handlers, ...args });
    return {
      ...run,
      reports: run.calls.map(reportText).filter((text) => text !== undefined),
      hypercalls: run.calls.filter((call) => reportText(call) === undefined),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function reportText({ nr, before }: TraceLine): string | undefined {
  if (BigInt(nr) === REPORT) return before.rbx;
  const exception = HANDLED.find(({ vector }) => BigInt(nr) === FAULT + BigInt(vector));
  if (!exception) return undefined;
  const { vector, mnemonic, hasErrorCode } = exception;
  const what = `${mnemonic}${hasErrorCode ? `(${before.rbx})` : ''}+${BigInt(before.rcx)}`;
  if (vector === 1) return `${what} DR6 ${before.rdx}`;
  return vector === 14 ? `${what} CR2 ${before.rdx}` : what;
}

/** What a test expects of a guest. */
interface Expected {
  readonly status?: number;
  readonly reports?: readonly string[];
  /** `after.rax` of the hypercalls that are no reports. */
  readonly results?: readonly string[];
  /** Must stand in the host's log. */
  readonly log?: readonly RegExp[];
}

/** Runs the guest and compares its reports, results, status and the host's log. */
export async function check(code: string, expected: Expected, options: KvmOptions = {}): Promise<KvmRun> {
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

/** Code that makes a hypercall with its number and operands. */
export const call = (nr: number | string, ...operands: (number | string)[]): string =>
  ['rax', 'rbx', 'rcx', 'rdx', 'rsi']
    .slice(0, operands.length + 1)
    .map((register, i) => `	movabsq	$${[nr, ...operands][i]}, %${register}\n`)
    .join('') + '	vmcall\n';

/** Runs code at CPL 3, or in compatibility mode, and comes back by SYSCALL or a far jump. */
export const MODES = `
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
