/** The processor as a loader hands it to a program. */
import { MXCSR_RESET } from '../../cpu/cold/mxcsr.js';
import { initialize } from '../../cpu/initialization.js';
import { region } from '../../cpu/layout.js';
import type { SegmentName } from '../../cpu/layout.js';
import type { Processor } from '../../cpu/seams.js';
import type { LinearMemory, ProcessorState } from '../../cpu/state.js';
import { LocalApic } from '../../devices/localApic.js';
import { NO_VMCS } from '../../vmx/vmcs.js';

// Access rights in the VMCS format (SDM 3C 25.4.1): type, S, DPL, P, AVL, L, D/B, G.
const CODE64 = 0xa09b;
const CODE32 = 0xc09b;
const DATA32 = 0xc093;
const BUSY_TSS = 0x8b;
const LDT = 0x82;

const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_NE = 1n << 5n;
const CR0_WP = 1n << 16n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
/** Programs that compilers made use SSE from the first instruction on. */
const CR4_OSFXSR = 1n << 9n;
const CR4_OSXMMEXCPT = 1n << 10n;
const EFER_SCE = 1n << 0n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

const PTE_PRESENT_WRITABLE = 0x03n;
const PDE_LARGE = 0x80n;

export const SELECTOR_CODE = 0x08;
export const SELECTOR_DATA = 0x10;

/** GDT of a program that brings none: null, 64- or 32-bit code, data (SDM 3A 3.4.5). */
const flatDescriptors = (long: boolean): bigint[] => [
  0n,
  long ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn,
  0x00cf93000000ffffn,
];

/** What lies at the top of RAM for a program that is started without a boot loader. */
export interface StartArea {
  readonly pageTables: number;
  readonly gdt: number;
  readonly stackTop: number;
  /** First byte of the area: RAM below is the program's. */
  readonly start: number;
}

const PAGE = 4096;
/** PML4, PDPT and four page directories: 4 GiB of 2 MiB pages, so that the local APIC is mapped too. */
const TABLE_PAGES = 6;
const STACK_SIZE = 0x1_0000;

export function startArea(memory: LinearMemory): StartArea {
  const pageTables = memory.ramSize - TABLE_PAGES * PAGE;
  const gdt = pageTables - PAGE;
  return { pageTables, gdt, stackTop: gdt, start: gdt - STACK_SIZE };
}

// Reset values, SDM 3A table 10-1 and 12.12.4.
const PAT_RESET = 0x0007_0406_0007_0406n;
const DR6_RESET = 0xffff_0ff0n;
const DR7_RESET = 0x400n;
/** IA32_MISC_ENABLE.Fast-Strings Enable. */
const MISC_ENABLE_RESET = 1n;

/** What every entry shares: reset values where software may rely on them. */
function resetCommon(state: ProcessorState, bootstrap = true): void {
  state.pat = PAT_RESET;
  state.mxcsr = MXCSR_RESET;
  state.dr6 = DR6_RESET;
  state.dr7 = DR7_RESET;
  state.miscEnable = MISC_ENABLE_RESET;
  state.apicBase = LocalApic.resetBase(bootstrap);
  state.currentVmcs = NO_VMCS;
  state.vmxonPointer = NO_VMCS;
  for (let i = 0; i < 16; i++) state.setGpr(i, 0n);
  state.rflagsSystem = 2n;
  state.cpl = 0;
  state.gdtrBase = state.idtrBase = 0n;
  state.gdtrLimit = state.idtrLimit = 0;
  setSegment(state, 'ldtr', { selector: 0, access: LDT, limit: 0xffff });
  setSegment(state, 'tr', { selector: 0, access: BUSY_TSS, limit: 0xffff });
}

function setSegment(
  state: ProcessorState,
  name: SegmentName,
  segment: { selector: number; access: number; limit: number },
): void {
  state[`${name}Selector`] = segment.selector;
  state[`${name}Access`] = segment.access;
  state[`${name}Limit`] = segment.limit;
  state[`${name}Base`] = 0n;
}

function setFlatSegments(state: ProcessorState, codeAccess: number): void {
  setSegment(state, 'cs', { selector: SELECTOR_CODE, access: codeAccess, limit: 0xffff_ffff });
  for (const name of ['ds', 'es', 'ss', 'fs', 'gs'] as const) {
    setSegment(state, name, { selector: SELECTOR_DATA, access: DATA32, limit: 0xffff_ffff });
  }
}

/** An application processor after reset: it waits for a STARTUP message (SDM 3A 9.4.3). */
export function enterWaitForStartup(processor: Processor): void {
  resetCommon(processor.state, false);
  initialize(processor);
}

/** Multiboot 1, section 3.2: flat 32-bit protected mode, paging off, EAX and EBX set. */
export function enterMultiboot(state: ProcessorState, entry: bigint, informationAddress: number): void {
  resetCommon(state);
  setFlatSegments(state, CODE32);
  state.cr0 = CR0_PE | CR0_ET;
  state.rax = 0x2bad_b002n;
  state.rbx = BigInt(informationAddress);
  state.rip = entry;
}

/** 64-bit mode at CPL 0, identity paging of 4 GiB, a stack, EDI = 0 and ESI = 1 as the hosts start a first vCPU. */
export function enterLong(memory: LinearMemory, state: ProcessorState, entry: bigint): void {
  const area = startArea(memory);
  resetCommon(state);
  writeIdentityTables(memory, area.pageTables);
  installDescriptors(memory, state, area, true);
  setFlatSegments(state, CODE64);
  state.cr3 = BigInt(area.pageTables);
  state.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
  state.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
  state.cr0 = CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_PE;
  startProgram(state, area, entry);
}

/** Flat 32-bit protected mode at CPL 0, paging off. */
export function enterProtected(memory: LinearMemory, state: ProcessorState, entry: bigint): void {
  const area = startArea(memory);
  resetCommon(state);
  installDescriptors(memory, state, area, false);
  setFlatSegments(state, CODE32);
  state.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
  state.cr0 = CR0_NE | CR0_ET | CR0_PE;
  startProgram(state, area, entry);
}

function startProgram(state: ProcessorState, area: StartArea, entry: bigint): void {
  // As at a call: the return address slot is there, 16-byte alignment holds before it.
  state.rsp = BigInt(area.stackTop - 8);
  state.rsi = 1n;
  state.rip = entry;
}

function installDescriptors(
  memory: LinearMemory,
  state: ProcessorState,
  area: StartArea,
  long: boolean,
): void {
  const descriptors = flatDescriptors(long);
  descriptors.forEach((value, i) => memory.view.setBigUint64(region.ram + area.gdt + i * 8, value, true));
  state.gdtrBase = BigInt(area.gdt);
  state.gdtrLimit = descriptors.length * 8 - 1;
}

function writeIdentityTables(memory: LinearMemory, pml4: number): void {
  const write = (table: number, index: number, value: bigint): void =>
    memory.view.setBigUint64(region.ram + table + index * 8, value, true);
  memory.u8.fill(0, region.ram + pml4, region.ram + pml4 + TABLE_PAGES * PAGE);
  const pdpt = pml4 + PAGE;
  write(pml4, 0, BigInt(pdpt) | PTE_PRESENT_WRITABLE);
  for (let gigabyte = 0; gigabyte < 4; gigabyte++) {
    const directory = pdpt + (gigabyte + 1) * PAGE;
    write(pdpt, gigabyte, BigInt(directory) | PTE_PRESENT_WRITABLE);
    for (let i = 0; i < 512; i++) {
      write(directory, i, (BigInt(gigabyte * 512 + i) << 21n) | PDE_LARGE | PTE_PRESENT_WRITABLE);
    }
  }
}
