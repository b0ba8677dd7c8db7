/** A guest under the real run loop, paging and event delivery, for tests of what only their interplay makes. */
import { Cr4 } from '../cpu/registerBits.js';
import { runProcessor } from '../cpu/run.js';
import { VMCS_REVISION } from '../vmx/capabilities.js';
import { Exit, Primary, Secondary } from '../vmx/controls.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import { Vmcs } from '../vmx/vmcs.js';
import type { System } from './systemFixture.js';
import { at, createSystem, selector } from './systemFixture.js';
import { code, writeValidVmcs } from './vmxFixture.js';

const VMXON = 0x4_0000;
const VMCS = 0x4_1000;
const POINTERS = 0x4_2000;
const EPT = 0x5_0000;
/** Host-physical address of guest-physical 0; 64 pages are mapped. */
export const GUEST = 0xc_0000;
export const GUEST_PAGES = 64;

/** Guest-physical addresses, identity-mapped by the guest's own 2-MByte page. */
export const guest = { pml4: 0x1000, pdpt: 0x2000, directory: 0x3000, code: 0x4000, idt: 0x5000, gdt: 0x6000, stack: 0x8000, handler: 0x9000 } as const; // prettier-ignore

export const NOP = 0x90;

export interface GuestSystem {
  readonly system: System;
  readonly vmcs: Vmcs;
  /** Runs at most this many instructions. */
  run(budget: number): ReturnType<typeof runProcessor>;
  /** Executes one instruction at the kernel's code, with RAX at a pointer to `operand`. */
  host(bytes: readonly number[], operand?: number): void;
  pokeGuest(address: number, value: bigint): void;
  guestCode(address: number, ...bytes: number[]): void;
  /** Enters the guest (again) and runs. */
  enter(budget: number): ReturnType<typeof runProcessor>;
}

/** A 64-bit guest with EPT and unrestricted guest, in a VMCS that is current and not launched. */
export function createGuest(): GuestSystem {
  const system = createSystem();
  const { state, processor, poke } = system;
  state.cr4 |= Cr4.VMXE;
  state.featureControl = 5n;
  poke(VMXON, BigInt(VMCS_REVISION));
  poke(VMCS, BigInt(VMCS_REVISION));

  const run = (budget: number) => runProcessor(processor, budget, { overBreakpoint: true });
  const host = (bytes: readonly number[], operand = 0): void => {
    poke(POINTERS, BigInt(operand));
    state.rax = BigInt(POINTERS);
    state.rip = BigInt(at.kernelCode);
    system.code(at.kernelCode, ...bytes);
    run(1);
  };
  host(code.vmxon, VMXON);
  host(code.vmclear, VMCS);
  host(code.vmptrld, VMCS);

  const vmcs = new Vmcs(processor.memory, VMCS);
  writeValidVmcs(vmcs);
  const or = (name: VmcsFieldName, bits: number) =>
    vmcs.write32(Field[name], (vmcs.read32(Field[name]) | bits) >>> 0);
  or('primaryProcBasedControls', Primary.activateSecondaryControls);
  or('secondaryProcBasedControls', Secondary.enableEpt | Secondary.unrestrictedGuest);
  or('vmExitControls', Exit.saveEfer);
  vmcs.write(Field.eptPointer, BigInt(EPT) | (3n << 3n) | 6n);
  vmcs.write(Field.hostCr3, BigInt(at.tables));
  vmcs.write(Field.hostRip, BigInt(at.handlers));
  vmcs.write32(Field.hostCsSelector, selector.kernelCode);
  vmcs.write32(Field.hostTrSelector, selector.tss);
  vmcs.write(Field.hostGdtrBase, BigInt(at.gdt));

  poke(EPT, BigInt(EPT + 0x1000) | 7n);
  poke(EPT + 0x1000, BigInt(EPT + 0x2000) | 7n);
  poke(EPT + 0x2000, BigInt(EPT + 0x3000) | 7n);
  for (let page = 0; page < GUEST_PAGES; page++) {
    poke(EPT + 0x3000 + page * 8, BigInt(GUEST + page * 4096) | 0x37n);
  }
  const pokeGuest = (address: number, value: bigint) => poke(GUEST + address, value);
  pokeGuest(guest.pml4, BigInt(guest.pdpt) | 3n);
  pokeGuest(guest.pdpt, BigInt(guest.directory) | 3n);
  pokeGuest(guest.directory, 0x83n);
  pokeGuest(guest.gdt + 8, 0x00af_9b00_0000_ffffn);
  vmcs.write(Field.guestCr3, BigInt(guest.pml4));
  vmcs.write(Field.guestRip, BigInt(guest.code));
  vmcs.write(Field.guestRsp, BigInt(guest.stack));
  vmcs.write32(Field.guestCsSelector, 8);
  vmcs.write(Field.guestIdtrBase, BigInt(guest.idt));
  vmcs.write32(Field.guestIdtrLimit, 0xfff);
  vmcs.write(Field.guestGdtrBase, BigInt(guest.gdt));
  vmcs.write32(Field.guestGdtrLimit, 0xff);

  // The host goes on with NOPs after each exit.
  system.code(at.handlers, ...new Array<number>(64).fill(NOP));
  return {
    system,
    vmcs,
    run,
    host,
    pokeGuest,
    guestCode: (address, ...bytes) => system.code(GUEST + address, ...bytes),
    enter: (budget) => {
      state.rip = BigInt(at.kernelCode);
      system.code(at.kernelCode, ...(vmcs.launchState === 0 ? code.vmlaunch : code.vmresume));
      return run(budget);
    },
  };
}

/** An interrupt gate of the guest to its handler. */
export const setGuestGate = ({ pokeGuest }: GuestSystem, vector: number): void => {
  pokeGuest(guest.idt + vector * 16, 0x8e00_0008_0000n | BigInt(guest.handler));
  pokeGuest(guest.idt + vector * 16 + 8, 0n);
};

export const exitOf = ({ vmcs }: GuestSystem) => ({
  reason: vmcs.read32(Field.exitReason),
  qualification: vmcs.read(Field.exitQualification),
  rip: vmcs.read(Field.guestRip),
  linear: vmcs.read(Field.guestLinearAddress),
  physical: vmcs.read(Field.guestPhysicalAddress),
  vectoring: vmcs.read32(Field.idtVectoringInformation),
});
export const quiet = { qualification: 0n, linear: 0n, physical: 0n, vectoring: 0 };
