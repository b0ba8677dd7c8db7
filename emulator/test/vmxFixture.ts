/** A processor without a run loop: flat memory, one instruction at a time, for tests of VMX by itself. */
import { coldInstructions } from '../cpu/cold/index.js';
import type { Fault } from '../cpu/fault.js';
import { arithmeticFlags } from '../cpu/flags.js';
import { region, STATE_SIZE } from '../cpu/layout.js';
import { MsrTable } from '../cpu/msr.js';
import { Cr0, Cr4, DR7_RESET, Efer, SegmentAccess } from '../cpu/registerBits.js';
import type { ColdOutcome, Processor } from '../cpu/seams.js';
import { Cold } from '../cpu/seams.js';
import { createProcessorState, LinearMemory } from '../cpu/state.js';
import { decodeBytes, isInstruction } from '../isa/decoder.js';
import type { Instruction } from '../isa/instruction.js';
import type { EntryFailure, WorldSwitch } from '../machine/worldSwitch.js';
import { allowedSettings, VMCS_REVISION } from '../vmx/capabilities.js';
import { Entry, entryControls, Exit, exitControls, pinBased, primary, secondary } from '../vmx/controls.js';
import { Field } from '../vmx/fields.js';
import { FLAT_CODE, FLAT_DATA } from '../vmx/segmentFormat.js';
import { guestSegments } from '../vmx/segmentFields.js';
import { Vmcs } from '../vmx/vmcs.js';
import { createVmx } from '../vmx/vmx.js';

export const VMXON_REGION = 0x1000;
export const VMCS_REGION = 0x2000;
export const SECOND_VMCS = 0x3000;
/** Where pointers to regions lie: the memory operands of the VMX instructions. */
export const POINTER = 0x800;
export const HOST_RIP = 0x8000n;
export const GUEST_RIP = 0x9000n;

const FLAT = 0xffff_ffff;
const CODE64 = FLAT_CODE | SegmentAccess.L | SegmentAccess.G;
const DATA32 = FLAT_DATA | SegmentAccess.DB | SegmentAccess.G;
const TSS = 11 | SegmentAccess.P;

/** Machine code of the instructions that the tests use. Memory operands are at [RAX]. */
export const code = {
  vmxon: [0xf3, 0x0f, 0xc7, 0x30],
  vmxoff: [0x0f, 0x01, 0xc4],
  vmclear: [0x66, 0x0f, 0xc7, 0x30],
  vmptrld: [0x0f, 0xc7, 0x30],
  vmptrst: [0x0f, 0xc7, 0x38],
  vmlaunch: [0x0f, 0x01, 0xc2],
  vmresume: [0x0f, 0x01, 0xc3],
  vmcall: [0x0f, 0x01, 0xc1],
  vmmcall: [0x0f, 0x01, 0xd9],
  /** vmread rcx -> rbx */
  vmread: [0x0f, 0x78, 0xcb],
  /** vmwrite rcx <- rbx */
  vmwrite: [0x0f, 0x79, 0xcb],
  /** invept rcx, [rax] */
  invept: [0x66, 0x0f, 0x38, 0x80, 0x08],
  /** invvpid rcx, [rax] */
  invvpid: [0x66, 0x0f, 0x38, 0x81, 0x08],
} as const;

export interface Fixture {
  readonly processor: Processor;
  readonly vmx: ReturnType<typeof createVmx>;
  readonly vmcs: Vmcs;
  readonly switches: WorldSwitch[];
  readonly failures: EntryFailure[];
  /** Calls of flushTlb. */
  readonly flushes: { count: number };
  /** Writes a 64-bit value to physical memory. */
  poke(address: number, value: bigint): void;
  peek(address: number): bigint;
  decode(bytes: readonly number[]): Instruction;
  /** One instruction at RIP as the run loop does it: checks, intercepts, execution. */
  execute(bytes: readonly number[]): ColdOutcome;
  /** As `execute`, with RAX pointing to a 64-bit operand of this value. */
  executeAt(bytes: readonly number[], operand: bigint): ColdOutcome;
  /** As it was made: cheaper than a new one. */
  reset(): void;
  /** VMXON, VMCLEAR, VMPTRLD of the VMCS that `vmcs` shows. */
  makeCurrent(): void;
}

/** Host state of a 64-bit host, in the processor and in nothing else. */
function hostProcessorState(processor: Processor): void {
  const { state } = processor;
  state.cr0 = Cr0.PE | Cr0.ET | Cr0.NE | Cr0.PG | Cr0.WP;
  state.cr4 = Cr4.PAE | Cr4.VMXE;
  state.cr3 = 0x5000n;
  state.efer = Efer.LME | Efer.LMA | Efer.SCE;
  state.featureControl = 5n;
  state.rflagsSystem = 2n;
  state.dr7 = DR7_RESET;
  state.csAccess = CODE64;
  state.csLimit = FLAT;
  for (const name of ['ss', 'ds', 'es', 'fs', 'gs'] as const) {
    state[`${name}Access`] = DATA32;
    state[`${name}Limit`] = FLAT;
  }
  state.rip = 0x7000n;
}

/** A VMCS that passes every check: 64-bit host, 64-bit guest. */
export function writeValidVmcs(vmcs: Vmcs): void {
  const must = (field: Parameters<typeof allowedSettings>[0]): number => allowedSettings(field).mustBeOne;
  vmcs.write32(Field.pinBasedControls, must(pinBased));
  vmcs.write32(Field.primaryProcBasedControls, must(primary));
  vmcs.write32(Field.secondaryProcBasedControls, must(secondary));
  vmcs.write32(Field.vmExitControls, must(exitControls) | Exit.hostAddressSpaceSize);
  vmcs.write32(Field.vmEntryControls, must(entryControls) | Entry.ia32eModeGuest);
  vmcs.write(Field.vmcsLinkPointer, 0xffff_ffff_ffff_ffffn);

  const cr0 = Cr0.PE | Cr0.NE | Cr0.PG | Cr0.ET;
  const cr4 = Cr4.PAE | Cr4.VMXE;
  vmcs.write(Field.hostCr0, cr0);
  vmcs.write(Field.hostCr4, cr4);
  vmcs.write(Field.hostCr3, 0x5000n);
  vmcs.write(Field.hostRip, HOST_RIP);
  vmcs.write(Field.hostRsp, 0x7f00n);
  vmcs.write32(Field.hostCsSelector, 8);
  vmcs.write32(Field.hostTrSelector, 0x18);

  vmcs.write(Field.guestCr0, cr0);
  vmcs.write(Field.guestCr4, cr4);
  vmcs.write(Field.guestCr3, 0x6000n);
  vmcs.write(Field.guestRip, GUEST_RIP);
  vmcs.write(Field.guestRsp, 0x9f00n);
  vmcs.write(Field.guestRflags, 2n);
  for (const { name, limit, rights } of guestSegments) {
    vmcs.write32(limit, FLAT);
    vmcs.write32(rights, name === 'cs' ? CODE64 : DATA32);
  }
  vmcs.write32(Field.guestLdtrAccessRights, SegmentAccess.UNUSABLE);
  vmcs.write32(Field.guestTrAccessRights, TSS);
  vmcs.write32(Field.guestTrLimit, 0x67);
}

/** Processor, VMX and a valid VMCS that is not current yet. */
export function createFixture(): Fixture {
  const memory = new LinearMemory(1 << 20);
  const state = createProcessorState(memory);
  const flushes = { count: 0 };
  const linear: Processor['linear'] = {
    read: (address, size) => {
      const bytes = memory.u8.subarray(region.ram + Number(address), region.ram + Number(address) + size);
      return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
    },
    write: (address, size, value) => {
      for (let i = 0; i < size; i++)
        memory.u8[region.ram + Number(address) + i] = Number((value >> BigInt(8 * i)) & 0xffn);
      return undefined;
    },
  };
  const apic = { pendingVector: () => 0x31, acknowledge: () => 0x31, nmiPending: false, tpr: 0 };
  const engine: { instruction: Instruction | undefined } = { instruction: undefined };
  const processor = {
    memory,
    state,
    linear,
    apic,
    engine,
    clock: { now: 1000 },
    position: 42,
    contextChanged: () => undefined,
    flushTlb: () => void flushes.count++,
    flushAllTlbs: () => undefined,
    yieldTurn: () => undefined,
  } as unknown as { -readonly [K in keyof Processor]: Processor[K] };
  const switches: WorldSwitch[] = [];
  const failures: EntryFailure[] = [];
  const vmx = createVmx(processor, {
    onWorldSwitch: (event) => switches.push(event),
    onEntryFailure: (failure) => failures.push(failure),
  });
  processor.virtualization = vmx;
  processor.msrs = new MsrTable(processor);
  processor.msrs.register(vmx.msrs);
  const poke = (address: number, value: bigint) => {
    memory.u64[(region.ram + address) >>> 3] = value;
  };
  const peek = (address: number) => memory.u64[(region.ram + address) >>> 3];
  const reset = () => {
    memory.u8.fill(0, region.state, region.state + STATE_SIZE);
    memory.u8.fill(0, region.ram, region.ram + memory.ramSize);
    hostProcessorState(processor);
    for (const address of [VMXON_REGION, VMCS_REGION, SECOND_VMCS]) poke(address, BigInt(VMCS_REVISION));
    vmx.stateReplaced();
    switches.length = failures.length = flushes.count = 0;
  };
  reset();

  const decode = (bytes: readonly number[]): Instruction => {
    const decoded = decodeBytes(Uint8Array.from([...bytes, 0, 0, 0, 0, 0, 0]), state.rip, 64);
    if (!isInstruction(decoded)) throw new Error(`not decoded: ${bytes.join(' ')}`);
    return decoded;
  };
  const semantics = { ...coldInstructions, ...vmx.instructions };
  const execute = (bytes: readonly number[]): ColdOutcome => {
    const instruction = decode(bytes);
    engine.instruction = instruction;
    const name = instruction.row.semantics ?? instruction.row.mnemonic;
    const { check, execute: run } = semantics[name];
    const fault = vmx.faultInGuest(instruction) ?? check?.(processor, instruction);
    if (fault === 'exited') return Cold.SWITCHED;
    if (fault) return fault;
    if (vmx.interceptInstruction(instruction)) return Cold.SWITCHED;
    return run(processor, instruction);
  };
  const executeAt = (bytes: readonly number[], operand: bigint): ColdOutcome => {
    poke(POINTER, operand);
    state.rax = BigInt(POINTER);
    return execute(bytes);
  };
  const vmcs = new Vmcs(memory, VMCS_REGION);
  const makeCurrent = () => {
    executeAt(code.vmxon, BigInt(VMXON_REGION));
    executeAt(code.vmclear, BigInt(VMCS_REGION));
    executeAt(code.vmptrld, BigInt(VMCS_REGION));
    writeValidVmcs(vmcs);
  };
  return {
    processor, vmx, vmcs, switches, failures, flushes, poke, peek, decode, execute, executeAt, reset, makeCurrent,
  }; // prettier-ignore
}

/** A fixture whose guest runs, after `prepare` changed the valid VMCS. */
export function enteredFixture(prepare: (fixture: Fixture) => void = () => undefined): Fixture {
  const fixture = createFixture();
  fixture.makeCurrent();
  prepare(fixture);
  const outcome = fixture.execute(code.vmlaunch);
  if (outcome !== Cold.SWITCHED || !fixture.vmx.inGuest) {
    throw new Error(`the entry failed: ${JSON.stringify(fixture.failures)}`);
  }
  return fixture;
}

/** The status that a VMX instruction left in RFLAGS. */
export function vmStatus({ processor, vmcs }: Fixture): string {
  const flags = arithmeticFlags(processor.state);
  if (flags === 0) return 'VMsucceed';
  if (flags === CARRY) return 'VMfailInvalid';
  return flags === ZERO
    ? `VMfailValid(${vmcs.read32(Field.vmInstructionError)})`
    : `flags ${flags.toString(16)}`;
}

const CARRY = 1;
const ZERO = 0x40;

export const isFaultVector = (outcome: ColdOutcome, vector: number): boolean =>
  typeof outcome === 'object' && outcome.kind === 'fault' && (outcome as Fault).vector === vector;
