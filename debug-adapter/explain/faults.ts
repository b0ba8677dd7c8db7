/** Exceptions in words: what `exceptionInfo` says of one. */
import type { Fault } from '../../emulator/cpu/fault.js';
import { PageFaultError, Vector } from '../../emulator/cpu/fault.js';
import type { World } from '../../emulator/machine/machineTypes.js';
import { hex, worldName } from './words.js';

interface ExceptionRow {
  readonly mnemonic: string;
  readonly title: string;
}

/** SDM 3A table 6-1. */
const EXCEPTIONS: Readonly<Record<number, ExceptionRow>> = {
  [Vector.DE]: { mnemonic: '#DE', title: 'divide error' },
  [Vector.DB]: { mnemonic: '#DB', title: 'debug exception' },
  [Vector.NMI]: { mnemonic: 'NMI', title: 'non-maskable interrupt' },
  [Vector.BP]: { mnemonic: '#BP', title: 'breakpoint' },
  [Vector.OF]: { mnemonic: '#OF', title: 'overflow' },
  [Vector.BR]: { mnemonic: '#BR', title: 'BOUND range exceeded' },
  [Vector.UD]: { mnemonic: '#UD', title: 'invalid opcode' },
  [Vector.NM]: { mnemonic: '#NM', title: 'device not available' },
  [Vector.DF]: { mnemonic: '#DF', title: 'double fault' },
  [Vector.TS]: { mnemonic: '#TS', title: 'invalid TSS' },
  [Vector.NP]: { mnemonic: '#NP', title: 'segment not present' },
  [Vector.SS]: { mnemonic: '#SS', title: 'stack-segment fault' },
  [Vector.GP]: { mnemonic: '#GP', title: 'general protection' },
  [Vector.PF]: { mnemonic: '#PF', title: 'page fault' },
  [Vector.MF]: { mnemonic: '#MF', title: 'x87 floating-point error' },
  [Vector.AC]: { mnemonic: '#AC', title: 'alignment check' },
  [Vector.MC]: { mnemonic: '#MC', title: 'machine check' },
  [Vector.XM]: { mnemonic: '#XM', title: 'SIMD floating-point exception' },
  [Vector.VE]: { mnemonic: '#VE', title: 'virtualization exception' },
  [Vector.CP]: { mnemonic: '#CP', title: 'control protection' },
};

/** Bits of DR6 that a #DB sets, SDM 3B 18.2.3. */
const DEBUG_STATUS: readonly (readonly [bit: bigint, meaning: string])[] = [
  [1n << 0n, 'breakpoint 0'],
  [1n << 1n, 'breakpoint 1'],
  [1n << 2n, 'breakpoint 2'],
  [1n << 3n, 'breakpoint 3'],
  [1n << 13n, 'debug-register access'],
  [1n << 14n, 'single step'],
  [1n << 15n, 'task switch'],
];

/** `#PF`, or `vector 32` for one that has no name. */
export function exceptionName(vector: number): string {
  return EXCEPTIONS[vector]?.mnemonic ?? `vector ${vector}`;
}

/** What was raised, with its error code decoded: `#PF page fault: a write to 0x10: the page is not present`. */
export function explainFault(fault: Fault): string {
  const row = EXCEPTIONS[fault.vector];
  const what = row ? `${row.mnemonic} ${row.title}` : `exception with vector ${fault.vector}`;
  const detail = detailOf(fault);
  return detail === undefined ? what : `${what}: ${detail}`;
}

/** With the place: `... in the guest at 0x401000 (main+0x4)`. */
export function explainFaultAt(fault: Fault, world: World, rip: bigint, place?: string): string {
  return `${explainFault(fault)}; in ${worldName(world)} at ${hex(rip)}${place ? ` (${place})` : ''}`;
}

function detailOf(fault: Fault): string | undefined {
  if (fault.source !== 'exception') return SOURCES[fault.source];
  if (fault.vector === Vector.PF) return explainPageFault(fault.address, fault.errorCode ?? 0);
  if (fault.vector === Vector.DB) return explainDebugStatus(fault.address);
  if (fault.errorCode === undefined) return undefined;
  return explainErrorCode(fault.errorCode);
}

const SOURCES: Readonly<Record<Exclude<Fault['source'], 'exception'>, string>> = {
  softwareInterrupt: 'by INT n',
  softwareException: 'by INT3 or INTO',
  privilegedSoftwareException: 'by INT1',
};

/** SDM 3A 4.7. */
function explainPageFault(address: bigint, errorCode: number): string {
  const has = (bit: number): boolean => (errorCode & bit) !== 0;
  const access = has(PageFaultError.ID)
    ? 'an instruction fetch from'
    : has(PageFaultError.WR)
      ? 'a write to'
      : 'a read from';
  const mode = has(PageFaultError.US) ? 'user mode' : 'supervisor mode';
  return `${access} ${hex(address)} in ${mode}: ${pageFaultCause(has)} (error code ${hex(errorCode)})`;
}

function pageFaultCause(has: (bit: number) => boolean): string {
  if (!has(PageFaultError.P)) return 'the page is not present';
  if (has(PageFaultError.RSVD)) return 'a reserved bit is set in a paging-structure entry';
  if (has(PageFaultError.PK)) return 'the protection key forbids it';
  return 'the page does not allow it';
}

function explainDebugStatus(status: bigint): string | undefined {
  const causes = DEBUG_STATUS.filter(([bit]) => (status & bit) !== 0n).map(([, meaning]) => meaning);
  return causes.length > 0 ? causes.join(', ') : undefined;
}

/** SDM 3A 6.13: EXT, IDT, TI and the index of a descriptor. */
function explainErrorCode(errorCode: number): string {
  if (errorCode === 0) return 'error code 0';
  const table = errorCode & 2 ? 'IDT' : errorCode & 4 ? 'LDT' : 'GDT';
  const index = (errorCode & 0xfff8) >> 3;
  const what =
    errorCode & 2
      ? `vector ${index} of the IDT`
      : `selector ${hex(errorCode & 0xfffc)}, entry ${index} of the ${table}`;
  const external = errorCode & 1 ? ', while an earlier event was delivered' : '';
  return `error code ${hex(errorCode)}: ${what}${external}`;
}
