/**
 * Small guests for tests of the KVM host. A guest tells what it sees by hypercalls that nobody answers, which the trace
 * shows: `report VALUE` with the value in RBX, and its exception handlers with error code, place and CR2 or DR6.
 */
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
