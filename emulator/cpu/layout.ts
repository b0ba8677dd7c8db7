/**
 * Where everything lies in the machine's one linear memory: CPU state, TLB, jump cache, predecoded records, guest RAM.
 * The interpreter, the compiler, the snapshots and the debugger read the same bytes through this table.
 */

/** First byte of each region of the linear memory. */
export const region = {
  /** CPU state (the fields below), one page. */
  state: 0x0000,
  /** Operand bytes of accesses that cannot be made in place: page crossing, MMIO. */
  scratch: 0x1000,
  /** What checking code wrote over: see compiler/journal.ts. */
  journal: 0x1_0000,
  /** TLB banks of `TLB_ENTRIES` entries of `TLB_ENTRY_SIZE` bytes. */
  tlb: 0x10_0000,
  /** Jump cache: linear RIP to record. */
  jumpCache: 0x20_0000,
  /** Predecoded instruction records. */
  records: 0x40_0000,
  /** Places at which compiled regions leave, and tables of where they are entered: see compiler/regionLayout.ts. */
  sites: 0x2c0_0000,
  entryTables: 0x300_0000,
  /** Physical address 0. */
  ram: 0x400_0000,
} as const;

/** Segment registers, in the encoding order of SDM 2B B.1.4.4, then LDTR and TR. */
export const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs', 'ldtr', 'tr'] as const;
export type SegmentName = (typeof SEGMENTS)[number];

type Width = 4 | 8;
interface FieldRow<Name extends string, W extends Width> {
  readonly name: Name;
  readonly width: W;
}

const u64 = <Name extends string>(...names: Name[]): FieldRow<Name, 8>[] =>
  names.map((name) => ({ name, width: 8 }));
const u32 = <Name extends string>(...names: Name[]): FieldRow<Name, 4>[] =>
  names.map((name) => ({ name, width: 4 }));

/** General registers in encoding order (SDM 2A 3.1.1.1), the names that the state view uses. */
export const GENERAL_REGISTERS = [
  'rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi',
  'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15',
] as const; // prettier-ignore
export type GeneralRegister = (typeof GENERAL_REGISTERS)[number];

const fields64 = [
  ...u64(...GENERAL_REGISTERS),
  // XMM registers; 16 bytes each, in order.
  ...u64('xmm0Low', 'xmm0High', 'xmm1Low', 'xmm1High'),
  ...u64('xmm2Low', 'xmm2High', 'xmm3Low', 'xmm3High'),
  ...u64('xmm4Low', 'xmm4High', 'xmm5Low', 'xmm5High'),
  ...u64('xmm6Low', 'xmm6High', 'xmm7Low', 'xmm7High'),
  ...u64('xmm8Low', 'xmm8High', 'xmm9Low', 'xmm9High'),
  ...u64('xmm10Low', 'xmm10High', 'xmm11Low', 'xmm11High'),
  ...u64('xmm12Low', 'xmm12High', 'xmm13Low', 'xmm13High'),
  ...u64('xmm14Low', 'xmm14High', 'xmm15Low', 'xmm15High'),
  // Always zero: what a memory operand without base, index or segment adds.
  ...u64('zero'),
  ...u64('rip'),
  // Lazy arithmetic flags: see flags.ts.
  ...u64('flagsResult', 'flagsA', 'flagsB'),
  // RFLAGS without the six arithmetic flags; bit 1 is set.
  ...u64('rflagsSystem'),
  ...u64('esBase', 'csBase', 'ssBase', 'dsBase', 'fsBase', 'gsBase', 'ldtrBase', 'trBase'),
  ...u64('gdtrBase', 'idtrBase'),
  ...u64('cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'xcr0'),
  // The PDPTE registers of PAE paging, loaded with CR3 (SDM 3A 4.4.1) or from the VMCS.
  ...u64('pdpte0', 'pdpte1', 'pdpte2', 'pdpte3'),
  ...u64('dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'),
  ...u64('efer', 'star', 'lstar', 'cstar', 'fmask', 'kernelGsBase', 'tscAux', 'pat', 'apicBase'),
  ...u64('sysenterCs', 'sysenterEsp', 'sysenterEip', 'featureControl', 'debugctl', 'miscEnable'),
  // TSC = virtual time + this (IA32_TSC_ADJUST and writes to IA32_TIME_STAMP_COUNTER), modulo 2^64.
  ...u64('tscAdjust', 'tscOffset'),
  // VMX: multiplier of the guest's TSC, 48 fraction bits (0: none); virtual time at which the VMX-preemption timer
  // reaches zero (0: it is off); TSC of the first and the last PAUSE of a loop.
  ...u64('tscMultiplier', 'preemptionDeadline', 'pauseLoopFirst', 'pauseLoopLast'),
  // The linear address of the access that left the fast path.
  ...u64('accessAddress'),
] as const;

const fields32 = [
  ...u32('esSelector', 'csSelector', 'ssSelector', 'dsSelector', 'fsSelector', 'gsSelector', 'ldtrSelector', 'trSelector'),
  ...u32('esLimit', 'csLimit', 'ssLimit', 'dsLimit', 'fsLimit', 'gsLimit', 'ldtrLimit', 'trLimit'),
  // Access rights in the format of the VMCS (SDM 3C 25.4.1): bit 16 is "unusable".
  ...u32('esAccess', 'csAccess', 'ssAccess', 'dsAccess', 'fsAccess', 'gsAccess', 'ldtrAccess', 'trAccess'),
  ...u32('gdtrLimit', 'idtrLimit'),
  ...u32('flagsKind', 'flagsCarry'),
  ...u32('cpl', 'mxcsr'),
  // Blocking by STI, by MOV SS, by SMI, by NMI: the bits of the guest interruptibility state (SDM 3C 25.4.2).
  ...u32('interruptibility'),
  // 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI: the guest activity state (SDM 3C 25.4.2).
  ...u32('activity'),
  // VMX: 0 outside VMX operation, 1 root, 2 non-root; the VMXON and current-VMCS pointers (0xffffffff: none); 1 while
  // an event that VM entry injects waits for delivery.
  ...u32('vmxOperation', 'vmxonPointer', 'currentVmcs', 'injectionPending'),
  // VMX: 1 while a pending virtual interrupt is recognized.
  ...u32('virtualInterrupt'),
  // Interpreter registers: instructions left, why it left and at which record; byte offset of the TLB bank in use.
  ...u32('budget', 'exitCode', 'exitRecord', 'accessInfo', 'tlbBank'),
  // Instructions left beyond `budget`, which only compiled regions may use.
  ...u32('reserve'),
  // End of the journal of a check of compiled code.
  ...u32('journalEnd'),
] as const; // prettier-ignore

export type Field64 = (typeof fields64)[number]['name'];
export type Field32 = (typeof fields32)[number]['name'];
export type FieldName = Field64 | Field32;

/** Byte offset of every CPU state field in the linear memory. 64-bit fields come first and are aligned. */
export const layout: Readonly<Record<FieldName, number>> = (() => {
  const offsets = {} as Record<FieldName, number>;
  let offset: number = region.state;
  for (const field of [...fields64, ...fields32]) {
    offsets[field.name] = offset;
    offset += field.width;
  }
  if (offset > region.scratch) throw new Error('the CPU state outgrew its page');
  return offsets;
})();

/** Every state field with its width in bytes, in layout order: what a state hash or a snapshot walks. */
export const stateFields: readonly { readonly name: FieldName; readonly width: Width }[] = [
  ...fields64,
  ...fields32,
];

/** Bytes of CPU state in use, from `region.state`. */
export const STATE_SIZE = fields64.length * 8 + fields32.length * 4;

// A TLB entry: {tagRead, tagWrite, tagExecute: u64 linear page or an impossible value; addend: i32; physical page: u32}.
export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SIZE = 32;
export const TLB_BANK_SIZE = TLB_ENTRIES * TLB_ENTRY_SIZE;
export const TLB_BANKS = 8;
export const tlbEntry = { tagRead: 0, tagWrite: 8, tagExecute: 16, addend: 24, physicalPage: 28 } as const;
/** A tag that no page-aligned linear address equals: the access is withheld from the fast path. */
export const TLB_NO_TAG = 0xffff_ffff_ffff_ffffn;
