/** The model-specific registers (SDM volume 4) that the processor core has. VMX and devices add theirs. */
import type { Fault } from './fault.js';
import { generalProtection } from './fault.js';
import { readTimeStampCounter, writeTimeStampCounter } from './cold/timeStamp.js';
import { EFER_SUPPORTED, PHYSICAL_RESERVED } from './features.js';
import type { Field64 } from './layout.js';
import { Cr0, Efer, isCanonical } from './registerBits.js';
import type { ModelSpecificRegisters, MsrRow, Processor } from './seams.js';

/** 800H-8FFH are the local APIC's registers in x2APIC mode (SDM 3A 11.12.1.2). */
const isX2apicMsr = (index: number): boolean => index >= 0x800 && index <= 0x8ff;

/** An access to an MSR that does not exist. */
export interface UnknownMsrAccess {
  readonly index: number;
  readonly access: 'read' | 'write';
  /** RIP of the first such access. */
  readonly rip: bigint;
  count: number;
}

export class MsrTable implements ModelSpecificRegisters {
  private readonly rows = new Map<number, MsrRow>();
  private readonly unknownAccesses = new Map<string, UnknownMsrAccess>();

  constructor(private readonly processor: Processor) {
    this.register(coreMsrs);
  }

  /** For the debugger: what software asked for and did not find, in order of first use. */
  get unknown(): readonly UnknownMsrAccess[] {
    return [...this.unknownAccesses.values()];
  }

  /** The names and numbers of all MSRs, in order of number. */
  get all(): readonly MsrRow[] {
    return [...this.rows.values()].sort((a, b) => a.index - b.index);
  }

  register(rows: readonly MsrRow[]): void {
    for (const row of rows) {
      if (this.rows.has(row.index))
        throw new Error(`MSR 0x${row.index.toString(16)} (${row.name}) is there already`);
      this.rows.set(row.index, row);
    }
  }

  read(index: number): bigint | Fault {
    const row = this.rows.get(index);
    if (row) return row.read(this.processor);
    if (isX2apicMsr(index)) return this.processor.apic.readX2apic(index) ?? generalProtection();
    this.noteUnknown(index, 'read');
    return generalProtection();
  }

  write(index: number, value: bigint): Fault | undefined {
    const row = this.rows.get(index);
    if (row) return row.write ? row.write(this.processor, value) : generalProtection();
    if (isX2apicMsr(index)) {
      return this.processor.apic.writeX2apic(index, value) ? undefined : generalProtection();
    }
    this.noteUnknown(index, 'write');
    return generalProtection();
  }

  private noteUnknown(index: number, access: 'read' | 'write'): void {
    const key = `${access} ${index}`;
    const known = this.unknownAccesses.get(key);
    if (known) known.count++;
    else this.unknownAccesses.set(key, { index, access, rip: this.processor.state.rip, count: 1 });
  }
}

type Write = NonNullable<MsrRow['write']>;

/** An MSR that is a field of the state; `valid` decides which values may be written. */
const field = (index: number, name: string, at: Field64, valid: (value: bigint) => boolean): MsrRow => ({
  index,
  name,
  read: ({ state }) => state[at],
  write: ({ state }, value) => {
    if (!valid(value)) return generalProtection();
    state[at] = value;
    return undefined;
  },
});

const readOnly = (index: number, name: string, value: bigint): MsrRow => ({ index, name, read: () => value });

const anyValue = (): boolean => true;
const only =
  (writable: bigint) =>
  (value: bigint): boolean =>
    (value & ~writable) === 0n;

/** Eight entries of three bits: UC 0, WC 1, WT 4, WP 5, WB 6, UC- 7 (SDM 3A table 12-10). 2 and 3 are reserved. */
const PAT_RESERVED = 0xf8f8_f8f8_f8f8_f8f8n;
const PAT_BIT_0_OF_EACH = 0x0101_0101_0101_0101n;
export const isValidPat = (value: bigint): boolean =>
  (value & PAT_RESERVED) === 0n && ((value >> 1n) & ~(value >> 2n) & PAT_BIT_0_OF_EACH) === 0n;

/** LME may change only while paging is off; LMA is the processor's (SDM 3A 10.8.5). */
const writeEfer: Write = (processor, value) => {
  const { state } = processor;
  if ((value & ~EFER_SUPPORTED) !== 0n) return generalProtection();
  const changed = value ^ state.efer;
  if ((changed & Efer.LME) !== 0n && (state.cr0 & Cr0.PG) !== 0n) return generalProtection();
  state.efer = (value & ~Efer.LMA) | (state.efer & Efer.LMA);
  if ((changed & Efer.NXE) !== 0n) processor.contextChanged();
  return undefined;
};

/** IA32_APIC_BASE: BSP flag, x2APIC, global enable and base (SDM 3A figure 11-26). */
const APIC_BASE_RESERVED = PHYSICAL_RESERVED | 0x2ffn;
const APIC_X2APIC = 1n << 10n;
const APIC_ENABLE = 1n << 11n;
const writeApicBase: Write = (processor, value) => {
  if ((value & APIC_BASE_RESERVED) !== 0n) return generalProtection();
  const modes = APIC_ENABLE | APIC_X2APIC;
  const [from, to] = [processor.state.apicBase & modes, value & modes];
  // SDM 3A 11.12.5: x2APIC mode is entered from xAPIC mode and left only by disabling.
  if (to === APIC_X2APIC) return generalProtection();
  if ((from === 0n && to === modes) || (from === modes && to === APIC_ENABLE)) return generalProtection();
  processor.state.apicBase = value;
  processor.apic.setBase(value);
  return undefined;
};

/** Fast strings enable, and the bits that only report what is not there: BTS and PEBS unavailable. */
const MISC_ENABLE_WRITABLE = 0x1n;
const MISC_ENABLE_FIXED = (1n << 11n) | (1n << 12n);

const coreMsrs: readonly MsrRow[] = [
  {
    index: 0x10,
    name: 'IA32_TIME_STAMP_COUNTER',
    read: readTimeStampCounter,
    write: (processor, value) => {
      writeTimeStampCounter(processor, value);
      return undefined;
    },
  },
  readOnly(0x17, 'IA32_PLATFORM_ID', 0n),
  { index: 0x1b, name: 'IA32_APIC_BASE', read: ({ state }) => state.apicBase, write: writeApicBase },
  {
    index: 0x3b,
    name: 'IA32_TSC_ADJUST',
    read: ({ state }) => state.tscAdjust,
    write: ({ state, apic }, value) => {
      state.tscAdjust = value;
      apic.tscMoved(value);
      return undefined;
    },
  },
  // No microcode update is loaded; the protocol of CPUID writes 0 first (SDM 3A 10.11.7.1).
  {
    index: 0x8b,
    name: 'IA32_BIOS_SIGN_ID',
    read: () => 0n,
    write: (_, value) => (value === 0n ? undefined : generalProtection()),
  },
  field(0x174, 'IA32_SYSENTER_CS', 'sysenterCs', only(0xffff_ffffn)),
  field(0x175, 'IA32_SYSENTER_ESP', 'sysenterEsp', isCanonical),
  field(0x176, 'IA32_SYSENTER_EIP', 'sysenterEip', isCanonical),
  {
    index: 0x1a0,
    name: 'IA32_MISC_ENABLE',
    read: ({ state }) => state.miscEnable | MISC_ENABLE_FIXED,
    write: ({ state }, value) => {
      if ((value & ~(MISC_ENABLE_WRITABLE | MISC_ENABLE_FIXED)) !== 0n) return generalProtection();
      state.miscEnable = value & MISC_ENABLE_WRITABLE;
      return undefined;
    },
  },
  // Neither last-branch recording nor branch single-stepping is there: no bit may be set.
  field(0x1d9, 'IA32_DEBUGCTL', 'debugctl', only(0n)),
  {
    index: 0x6e0,
    name: 'IA32_TSC_DEADLINE',
    read: ({ apic }) => apic.tscDeadline,
    write: ({ apic, state }, value) => {
      apic.setTscDeadline(value, state.tscAdjust);
      return undefined;
    },
  },
  field(0x277, 'IA32_PAT', 'pat', isValidPat),
  { index: 0xc000_0080, name: 'IA32_EFER', read: ({ state }) => state.efer, write: writeEfer },
  field(0xc000_0081, 'IA32_STAR', 'star', anyValue),
  field(0xc000_0082, 'IA32_LSTAR', 'lstar', isCanonical),
  field(0xc000_0083, 'IA32_CSTAR', 'cstar', isCanonical),
  field(0xc000_0084, 'IA32_FMASK', 'fmask', only(0xffff_ffffn)),
  field(0xc000_0100, 'IA32_FS_BASE', 'fsBase', isCanonical),
  field(0xc000_0101, 'IA32_GS_BASE', 'gsBase', isCanonical),
  field(0xc000_0102, 'IA32_KERNEL_GS_BASE', 'kernelGsBase', isCanonical),
  field(0xc000_0103, 'IA32_TSC_AUX', 'tscAux', only(0xffff_ffffn)),
];
