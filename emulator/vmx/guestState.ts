/** Guest state between processor and VMCS: SDM 3C 27.3.2 (loading) and 28.3 (saving). */
import type { FieldName } from '../cpu/layout.js';
import { layout, stateFields } from '../cpu/layout.js';
import { usesPaePaging as stateUsesPaePaging } from '../cpu/pdpte.js';
import { Activity, Cr0, Efer, Interruptibility, isLongMode, Rflags } from '../cpu/registerBits.js';
import type { VmxContext } from './context.js';
import { Entry, Exit, Primary, Secondary } from './controls.js';
import type { EntryView } from './entry/rules.js';
import { guestPdptes, usesPaePaging } from './entry/guestNonRegisterChecks.js';
import type { VmcsField } from './fields.js';
import { Field } from './fields.js';
import { DEBUGCTL_BTF } from './processorLimits.js';
import { loadedDr7, mergeCr0 } from './registerMerge.js';
import { segmentDpl } from './segmentFormat.js';
import { guestSegments } from './segmentFields.js';
import type { StateField, Vmcs } from './vmcs.js';

const carried = (field: VmcsField, name: FieldName): StateField => ({
  field,
  state: layout[name],
  wide: stateFields.find((row) => row.name === name)!.width === 8,
});

/** What is the same in the VMCS and in the processor. */
const carriedState: readonly StateField[] = [
  carried(Field.guestCr3, 'cr3'),
  carried(Field.guestCr4, 'cr4'),
  carried(Field.guestSysenterCs, 'sysenterCs'),
  carried(Field.guestSysenterEsp, 'sysenterEsp'),
  carried(Field.guestSysenterEip, 'sysenterEip'),
  ...guestSegments.flatMap(({ name, selector, base, limit, rights }) => [
    carried(selector, `${name}Selector`),
    carried(base, `${name}Base`),
    carried(limit, `${name}Limit`),
    carried(rights, `${name}Access`),
  ]),
  carried(Field.guestGdtrBase, 'gdtrBase'),
  carried(Field.guestGdtrLimit, 'gdtrLimit'),
  carried(Field.guestIdtrBase, 'idtrBase'),
  carried(Field.guestIdtrLimit, 'idtrLimit'),
  carried(Field.guestRsp, 'rsp'),
  carried(Field.guestRip, 'rip'),
  carried(Field.guestActivityState, 'activity'),
  carried(Field.guestInterruptibilityState, 'interruptibility'),
];

/** Loads the guest state of the current VMCS, which the checks have passed. */
export function loadGuestState(context: VmxContext, entry: EntryView): void {
  const { state } = context.processor;
  const { vmcs } = entry;
  vmcs.loadState(carriedState);
  loadControlRegisters(context, entry);
  context.rflags = vmcs.read(Field.guestRflags);
  // The DPL of SS is the privilege level, also in virtual-8086 mode, where it is 3 (SDM 3C 27.3.1.2).
  state.cpl = segmentDpl(state.ssAccess);
  loadGuestTsc(context, entry);
}

/** SDM 3C 26.3: the offset and, with "use TSC scaling", the multiplier. PAUSE-loop exiting starts anew. */
function loadGuestTsc(context: VmxContext, entry: EntryView): void {
  const { state } = context.processor;
  const { vmcs } = entry;
  const offsetting = (entry.primary & Primary.useTscOffsetting) !== 0;
  const scaling = offsetting && (entry.secondary & Secondary.useTscScaling) !== 0;
  state.tscOffset = offsetting ? vmcs.read(Field.tscOffset) : 0n;
  state.tscMultiplier = scaling ? vmcs.read(Field.tscMultiplier) : 0n;
  state.pauseLoopFirst = state.pauseLoopLast = 0n;
}

/** RDTSC reads the processor's TSC again. */
export function leaveGuestTsc({ processor: { state } }: VmxContext): void {
  state.tscOffset = state.tscMultiplier = 0n;
}

/** SDM 3C 27.3.2.1 and 27.3.2.4. */
function loadControlRegisters(context: VmxContext, entry: EntryView): void {
  const { state } = context.processor;
  const { vmcs } = entry;
  state.cr0 = mergeCr0(state.cr0, vmcs.read(Field.guestCr0));
  if (usesPaePaging(entry)) {
    [state.pdpte0, state.pdpte1, state.pdpte2, state.pdpte3] = guestPdptes(entry);
  }
  if (entry.entry & Entry.loadDebugControls) {
    state.dr7 = loadedDr7(vmcs.read(Field.guestDr7));
    state.debugctl = vmcs.read(Field.guestDebugctl);
  }
  if (entry.entry & Entry.loadEfer) state.efer = vmcs.read(Field.guestEfer);
  else state.efer = eferOfMode(state.efer, entry.guestIsIa32e, (state.cr0 & Cr0.PG) !== 0n);
  if (entry.entry & Entry.loadPat) state.pat = vmcs.read(Field.guestPat);
}

/** Without "load IA32_EFER", LMA follows the control; LME too, unless the guest has paging off. */
function eferOfMode(efer: bigint, ia32e: boolean, paging: boolean): bigint {
  const forced = paging ? Efer.LMA | Efer.LME : Efer.LMA;
  return ia32e ? efer | forced : efer & ~forced;
}

const PENDING_BS = 1n << 14n;

/**
 * Saves the guest state into the current VMCS. `rflags`: the value to save, its RF decided by the caller.
 * `pendingDebug`: debug exceptions that the exit came before.
 */
export function saveGuestState(context: VmxContext, rflags: bigint, pendingDebug?: bigint): void {
  const { state } = context.processor;
  const { vmcs } = context;
  vmcs.write(Field.guestCr0, state.cr0);
  vmcs.saveState(carriedState);
  saveByControl(context, vmcs);
  vmcs.write(Field.guestRflags, rflags);
  vmcs.write(Field.guestPendingDebugExceptions, pendingDebug ?? heldBackDebugExceptions(context, rflags));
}

function saveByControl(context: VmxContext, vmcs: Vmcs): void {
  const { state } = context.processor;
  if (context.exit(Exit.saveDebugControls)) {
    vmcs.write(Field.guestDr7, state.dr7);
    vmcs.write(Field.guestDebugctl, state.debugctl);
  }
  if (context.exit(Exit.savePat)) vmcs.write(Field.guestPat, state.pat);
  if (context.exit(Exit.saveEfer)) vmcs.write(Field.guestEfer, state.efer);
  if (context.secondary(Secondary.enableEpt) && stateUsesPaePaging(state)) {
    vmcs.write(Field.guestPdpte0, state.pdpte0);
    vmcs.write(Field.guestPdpte1, state.pdpte1);
    vmcs.write(Field.guestPdpte2, state.pdpte2);
    vmcs.write(Field.guestPdpte3, state.pdpte3);
  }
  // IA32_VMX_MISC[5]: the control follows the guest's mode (SDM 3C 28.2).
  const entry = vmcs.read32(Field.vmEntryControls) & ~Entry.ia32eModeGuest;
  vmcs.write32(Field.vmEntryControls, isLongMode(state) ? entry | Entry.ia32eModeGuest : entry);
}

/** A single-step trap that is held back is pending; VM entry checks that the fields agree (SDM 3C 27.3.1.5). */
function heldBackDebugExceptions(context: VmxContext, rflags: bigint): bigint {
  const { state } = context.processor;
  const heldBack =
    (state.interruptibility & (Interruptibility.STI | Interruptibility.MOV_SS)) !== 0 ||
    state.activity === Activity.HLT;
  const singleStep = (rflags & Rflags.TF) !== 0n && (state.debugctl & DEBUGCTL_BTF) === 0n;
  return heldBack && singleStep ? PENDING_BS : 0n;
}
