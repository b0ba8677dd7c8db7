/** A VMCS in guest RAM. This processor keeps no copy of its own: the region is always up to date. */
import { region } from '../cpu/layout.js';
import type { LinearMemory } from '../cpu/state.js';
import { VMCS_REGION_SIZE, VMCS_REVISION } from './capabilities.js';
import type { VmcsField } from './fields.js';
import { fieldAccess, VMCS_FIELDS_OFFSET, vmcsFields } from './fields.js';

const ABORT_INDICATOR_OFFSET = 4;
const LAUNCH_STATE_OFFSET = 8;

export const LaunchState = { CLEAR: 0, LAUNCHED: 1 } as const;
export type LaunchState = (typeof LaunchState)[keyof typeof LaunchState];

/** "No current VMCS": the value of the current-VMCS pointer in the processor state. */
export const NO_VMCS = 0xffff_ffff;

/** "No VMCS is linked": the value of the VMCS link pointer. */
export const NO_LINK = 0xffff_ffff_ffff_ffffn;

/** Bit 31 of the first word: the shadow-VMCS indicator (SDM 3C 25.2). */
const SHADOW_INDICATOR = 0x8000_0000;

if (VMCS_FIELDS_OFFSET + vmcsFields.length * 8 > VMCS_REGION_SIZE) {
  throw new Error('the VMCS fields outgrew their region');
}

/** A VMCS field that VM entry and VM exit copy as it is, and where it lies in the processor state. */
export interface StateField {
  readonly field: VmcsField;
  /** Byte offset in the linear memory. */
  readonly state: number;
  /** Eight bytes of state. */
  readonly wide: boolean;
}

/** Typed access to one VMCS region, which lies in RAM and is page-aligned. */
export class Vmcs {
  private readonly base: number;

  constructor(
    private readonly memory: LinearMemory,
    readonly physicalAddress: number,
  ) {
    this.base = region.ram + physicalAddress;
  }

  /** Is there RAM for a VMCS region at this physical address? */
  static fits(memory: LinearMemory, physicalAddress: number): boolean {
    return physicalAddress % VMCS_REGION_SIZE === 0 && physicalAddress + VMCS_REGION_SIZE <= memory.ramSize;
  }

  /** Is there a VMCS region of this processor's format: has software written the revision identifier? */
  static isAt(memory: LinearMemory, physicalAddress: number): boolean {
    return (
      physicalAddress >= 0 &&
      Vmcs.fits(memory, physicalAddress) &&
      new Vmcs(memory, physicalAddress).revision === VMCS_REVISION
    );
  }

  get revision(): number {
    return this.memory.u32[this.base >>> 2] & ~SHADOW_INDICATOR;
  }

  get isShadow(): boolean {
    return (this.memory.u32[this.base >>> 2] & SHADOW_INDICATOR) !== 0;
  }

  set abortIndicator(value: number) {
    this.memory.u32[(this.base + ABORT_INDICATOR_OFFSET) >>> 2] = value;
  }

  get launchState(): LaunchState {
    return this.memory.u32[(this.base + LAUNCH_STATE_OFFSET) >>> 2] === LaunchState.LAUNCHED
      ? LaunchState.LAUNCHED
      : LaunchState.CLEAR;
  }

  set launchState(state: LaunchState) {
    this.memory.u32[(this.base + LAUNCH_STATE_OFFSET) >>> 2] = state;
  }

  /** The whole field, zero-extended. */
  read(field: VmcsField): bigint {
    // The rest of a narrow field's eight bytes is whatever software left in the region.
    if (field.width === 16 || field.width === 32) return BigInt(this.read32(field));
    return this.memory.u64[(this.base + field.offset) >>> 3];
  }

  /** Writes the field, cut to its width. */
  write(field: VmcsField, value: bigint): void {
    this.memory.u64[(this.base + field.offset) >>> 3] =
      field.width === 16 ? value & 0xffffn : field.width === 32 ? value & 0xffff_ffffn : value;
  }

  /** Bits 31:0 of the field as an unsigned number: all of a 16-bit or 32-bit field. */
  read32(field: VmcsField): number {
    const value = this.memory.u32[(this.base + field.offset) >>> 2];
    return field.width === 16 ? value & 0xffff : value;
  }

  /** Bits 63:32 of the field as an unsigned number. */
  readHigh(field: VmcsField): number {
    return this.memory.u32[((this.base + field.offset) >>> 2) + 1];
  }

  /** Writes an unsigned number of up to 32 bits; bits 63:32 become 0. */
  write32(field: VmcsField, value: number): void {
    const word = (this.base + field.offset) >>> 2;
    this.memory.u32[word] = field.width === 16 ? value & 0xffff : value;
    this.memory.u32[word + 1] = 0;
  }

  /** Copies fields into the processor state, which lies in the same memory. */
  loadState(rows: readonly StateField[]): void {
    const words = this.memory.u32;
    for (const { field, state, wide } of rows) {
      const from = (this.base + field.offset) >>> 2;
      words[state >>> 2] = field.width === 16 ? words[from] & 0xffff : words[from];
      if (wide) words[(state >>> 2) + 1] = field.width === 'natural' ? words[from + 1] : 0;
    }
  }

  /** Copies processor state into fields. */
  saveState(rows: readonly StateField[]): void {
    const words = this.memory.u32;
    for (const { field, state, wide } of rows) {
      const to = (this.base + field.offset) >>> 2;
      words[to] = words[state >>> 2];
      words[to + 1] = wide ? words[(state >>> 2) + 1] : 0;
    }
  }

  /** What VMREAD of this encoding gives; undefined for a field that does not exist. */
  readEncoding(encoding: number): bigint | undefined {
    const access = fieldAccess(encoding);
    if (!access) return undefined;
    return access.high ? BigInt(this.readHigh(access.field)) : this.read(access.field);
  }

  /** Writes as VMWRITE would, read-only fields included; false for a field that does not exist. */
  writeEncoding(encoding: number, value: bigint): boolean {
    const access = fieldAccess(encoding);
    if (!access) return false;
    const { field, high } = access;
    if (high) this.write(field, (this.read(field) & 0xffff_ffffn) | ((value & 0xffff_ffffn) << 32n));
    else this.write(field, value);
    return true;
  }
}
