/** Code of one world as the disassembler reads it: bytes, width, and the symbols that lie in it. */
import type { TranslationContext, World } from '../../emulator/machine/machineTypes.js';
import { Field } from '../../emulator/vmx/fields.js';
import { Exit } from '../../emulator/vmx/controls.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Image } from '../debuggee/image.js';
import type { CodeFrame } from '../stack/frame.js';

export type CodeBits = 16 | 32 | 64;

export interface CodeSpace {
  readonly world: World;
  readonly bits: CodeBits;
  /** Bytes from `address` up to the first unmapped one: maybe fewer than `length`, maybe none. */
  read(address: bigint, length: number): Uint8Array;
  /** The image whose code or data lies at an address. */
  imageAt(address: bigint): Image | undefined;
}

const EFER_LMA = 1n << 10n;
/** Bits of a segment's access rights, SDM 3C table 25-2. */
const CS_L = 1 << 13;
const CS_D = 1 << 14;

/** CS.L counts in IA-32e mode only (SDM 3A 3.4.5). */
function codeBits(efer: bigint, csAccess: number): CodeBits {
  if ((efer & EFER_LMA) !== 0n && csAccess & CS_L) return 64;
  return csAccess & CS_D ? 32 : 16;
}

/** The code of a frame's world. */
export function codeSpaceOfFrame(debuggee: Debuggee, frame: CodeFrame): CodeSpace {
  return frame.world === 'guest' ? guestCode(debuggee, frame.vmcs) : rootCode(debuggee);
}

/** The code of a world; in the guest's that of the VMCS given, or of the current one. */
export function codeSpaceOfWorld(debuggee: Debuggee, world: World, vmcs?: number): CodeSpace {
  return world === 'guest' ? guestCode(debuggee, vmcs) : rootCode(debuggee);
}

/** Page tables of a world; of the guest's virtual processors those of the VMCS given, or of the current one. */
export function translationOf(
  debuggee: Debuggee,
  world: World,
  vmcs?: number,
): TranslationContext | undefined {
  if (world === 'root') return debuggee.rootTranslation;
  const guest = vmcs ?? debuggee.machine.currentVmcs;
  return guest === undefined ? undefined : debuggee.guestTranslation(guest);
}

function guestCode(debuggee: Debuggee, vmcs = debuggee.machine.currentVmcs): CodeSpace {
  const { machine } = debuggee;
  const runs = machine.world === 'guest' && machine.currentVmcs === vmcs;
  const efer = translationOf(debuggee, 'guest', vmcs)?.efer ?? 0n;
  const stored = vmcs === undefined ? undefined : machine.readVmcs(vmcs, Field.guestCsAccessRights.encoding);
  const csAccess = runs ? machine.state.csAccess : Number(stored ?? 0n);
  return createCodeSpace(debuggee, 'guest', codeBits(efer, csAccess), vmcs);
}

function rootCode(debuggee: Debuggee): CodeSpace {
  const { machine } = debuggee;
  const vmcs = machine.currentVmcs;
  if (machine.world === 'root' || vmcs === undefined) {
    return createCodeSpace(debuggee, 'root', codeBits(machine.state.efer, machine.state.csAccess));
  }
  // The host that the next VM exit returns to (SDM 3C 28.5.2).
  const controls = machine.readVmcs(vmcs, Field.vmExitControls.encoding) ?? 0n;
  const is64Bit = (Number(controls) & Exit.hostAddressSpaceSize) !== 0;
  return createCodeSpace(debuggee, 'root', is64Bit ? 64 : 32);
}

function createCodeSpace(debuggee: Debuggee, world: World, bits: CodeBits, vmcs?: number): CodeSpace {
  const translation = translationOf(debuggee, world, vmcs);
  return {
    world,
    bits,
    read: (address, length) =>
      translation ? debuggee.machine.readLinear(address, length, translation) : new Uint8Array(),
    imageAt: (address) => debuggee.imageAt(world, address),
  };
}
