/** Loading host state, SDM 3C 28.5: for every VM exit and for a VM entry that failed late. */
import { isValidPdpte, usesPaePaging } from '../cpu/pdpte.js';
import {
  Activity,
  Cr4,
  DR7_RESET,
  Efer,
  Interruptibility,
  Rflags,
  SegmentAccess,
} from '../cpu/registerBits.js';
import type { SegmentName } from '../cpu/layout.js';
import type { ProcessorState } from '../cpu/state.js';
import type { VmxContext } from './context.js';
import { VmxOperation } from './context.js';
import { Exit, Pin } from './controls.js';
import { Field } from './fields.js';
import { readPdptes } from './pdptes.js';
import { mergeCr0 } from './registerMerge.js';
import { FLAT_CODE, FLAT_DATA, SegmentType } from './segmentFormat.js';

const FLAT_LIMIT = 0xffff_ffff;
const TSS_LIMIT = 0x67;
const TABLE_LIMIT = 0xffff;

/**
 * Loads the host-state area of the current VMCS: the processor is in VMX root operation afterwards.
 * @returns false when the host's PDPTEs are invalid, which is a VMX abort
 */
export function loadHostState(context: VmxContext, afterNmi: boolean): boolean {
  const { state } = context.processor;
  const { vmcs } = context;
  const hostIs64Bit = context.exit(Exit.hostAddressSpaceSize);
  state.vmxOperation = VmxOperation.ROOT;
  state.injectionPending = 0;
  loadControlRegisters(context, hostIs64Bit);
  loadSegments(context, hostIs64Bit);
  state.gdtrBase = vmcs.read(Field.hostGdtrBase);
  state.gdtrLimit = TABLE_LIMIT;
  state.idtrBase = vmcs.read(Field.hostIdtrBase);
  state.idtrLimit = TABLE_LIMIT;
  state.rip = vmcs.read(Field.hostRip);
  state.rsp = vmcs.read(Field.hostRsp);
  context.rflags = Rflags.FIXED;
  state.cpl = 0;
  state.activity = Activity.ACTIVE;
  // SDM 3C 28.5.5: NMIs are blocked after a VM exit for an NMI; other exits leave blocking as it is. With virtual NMIs
  // the guest's bit is virtual-NMI blocking, which ends here.
  const blocked = context.pin(Pin.virtualNmis) ? 0 : state.interruptibility & Interruptibility.NMI;
  state.interruptibility = afterNmi ? Interruptibility.NMI : blocked;
  return loadPdptes(context, state);
}

/** SDM 3C 28.5.1. */
function loadControlRegisters(context: VmxContext, hostIs64Bit: boolean): void {
  const { state } = context.processor;
  const { vmcs } = context;
  state.cr0 = mergeCr0(state.cr0, vmcs.read(Field.hostCr0));
  state.cr3 = vmcs.read(Field.hostCr3);
  const cr4 = vmcs.read(Field.hostCr4);
  state.cr4 = hostIs64Bit ? cr4 | Cr4.PAE : cr4 & ~Cr4.PCIDE;
  state.dr7 = DR7_RESET;
  state.debugctl = 0n;
  state.sysenterCs = vmcs.read(Field.hostSysenterCs);
  state.sysenterEsp = vmcs.read(Field.hostSysenterEsp);
  state.sysenterEip = vmcs.read(Field.hostSysenterEip);
  const mode = Efer.LMA | Efer.LME;
  state.efer = hostIs64Bit ? state.efer | mode : state.efer & ~mode;
  if (context.exit(Exit.loadPat)) state.pat = vmcs.read(Field.hostPat);
  if (context.exit(Exit.loadEfer)) state.efer = vmcs.read(Field.hostEfer);
}

/** Names of a segment register's parts in the processor state. */
const keysOf = <Name extends SegmentName>(name: Name) =>
  ({
    selector: `${name}Selector`,
    base: `${name}Base`,
    limit: `${name}Limit`,
    rights: `${name}Access`,
  }) as const;
type SegmentKeys = ReturnType<typeof keysOf<SegmentName>>;
const [cs, ss, ds, es, fs, gs] = (['cs', 'ss', 'ds', 'es', 'fs', 'gs'] as const).map(keysOf);

/** SDM 3C 28.5.2. */
function loadSegments(context: VmxContext, hostIs64Bit: boolean): void {
  const { state } = context.processor;
  const { vmcs } = context;
  const set = (keys: SegmentKeys, selector: number, rights: number, base: bigint): void => {
    state[keys.selector] = selector;
    state[keys.base] = base;
    state[keys.limit] = FLAT_LIMIT;
    state[keys.rights] = rights;
  };
  /** A null selector makes the register unusable; for SS that happens only in 64-bit mode, DPL 0 all the same. */
  const data = (selector: number) =>
    selector === 0 ? SegmentAccess.UNUSABLE : FLAT_DATA | SegmentAccess.DB | SegmentAccess.G;

  const codeSize = hostIs64Bit ? SegmentAccess.L : SegmentAccess.DB;
  set(cs, vmcs.read32(Field.hostCsSelector), FLAT_CODE | SegmentAccess.G | codeSize, 0n);
  const ssSelector = vmcs.read32(Field.hostSsSelector);
  set(ss, ssSelector, data(ssSelector), 0n);
  const dsSelector = vmcs.read32(Field.hostDsSelector);
  set(ds, dsSelector, data(dsSelector), 0n);
  const esSelector = vmcs.read32(Field.hostEsSelector);
  set(es, esSelector, data(esSelector), 0n);
  const fsSelector = vmcs.read32(Field.hostFsSelector);
  set(fs, fsSelector, data(fsSelector), vmcs.read(Field.hostFsBase));
  const gsSelector = vmcs.read32(Field.hostGsSelector);
  set(gs, gsSelector, data(gsSelector), vmcs.read(Field.hostGsBase));

  state.trSelector = vmcs.read32(Field.hostTrSelector);
  state.trBase = vmcs.read(Field.hostTrBase);
  state.trLimit = TSS_LIMIT;
  state.trAccess = SegmentType.BUSY_TSS | SegmentAccess.P;
  state.ldtrSelector = 0;
  state.ldtrBase = 0n;
  state.ldtrLimit = 0;
  state.ldtrAccess = SegmentAccess.UNUSABLE;
}

/** SDM 3C 28.5.4: a host that uses PAE paging outside IA-32e mode has its PDPTEs checked and loaded. */
function loadPdptes(context: VmxContext, state: ProcessorState): boolean {
  if (!usesPaePaging(state)) return true;
  const pdptes = readPdptes(state.cr3, context.physical);
  if (!pdptes.every(isValidPdpte)) return false;
  [state.pdpte0, state.pdpte1, state.pdpte2, state.pdpte3] = pdptes;
  return true;
}
