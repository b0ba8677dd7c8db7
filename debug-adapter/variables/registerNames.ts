/** Names of registers: the whole ones, where the processor's state and the VMCS have them, and the parts of them. */
import type { FieldName } from '../../emulator/cpu/layout.js';
import { GENERAL_REGISTERS, SEGMENTS } from '../../emulator/cpu/layout.js';
import { Rflags } from '../../emulator/cpu/registerBits.js';
import type { VmcsFieldName } from '../../emulator/vmx/fields.js';
import { Field } from '../../emulator/vmx/fields.js';

/** A register that is not a part of another. */
export interface WholeRegister {
  readonly name: string;
  readonly bits: number;
  /** The field of the processor's state; RFLAGS is assembled from several, so it has none. */
  readonly state: FieldName | undefined;
  /** The guest-state field of the VMCS, which holds it while the guest does not run. */
  readonly vmcs: VmcsFieldName | undefined;
}

/** `width` bits from bit `low` of a whole register. */
export interface RegisterPart {
  readonly of: string;
  readonly low: number;
  readonly width: number;
}

const capital = (name: string): string => name[0].toUpperCase() + name.slice(1);

/** The guest-state field of that name where the VMCS has one (SDM 3C 25.4.1). */
function guestField(name: string): VmcsFieldName | undefined {
  const field = `guest${capital(name)}`;
  return field in Field ? (field as VmcsFieldName) : undefined;
}

const whole = (state: FieldName, bits: number, vmcs = guestField(state)): WholeRegister => ({
  name: state.toLowerCase(),
  bits,
  state,
  vmcs,
});

const STATE_64: readonly FieldName[] = [
  ...['cr0', 'cr2', 'cr3', 'cr4', 'cr8', 'xcr0'] as const,
  ...['dr0', 'dr1', 'dr2', 'dr3', 'dr6', 'dr7'] as const,
  ...['efer', 'star', 'lstar', 'cstar', 'fmask', 'kernelGsBase', 'tscAux', 'pat', 'apicBase'] as const,
  ...['sysenterCs', 'sysenterEsp', 'sysenterEip', 'debugctl', 'miscEnable', 'featureControl'] as const,
]; // prettier-ignore

const segmentRegisters = SEGMENTS.flatMap((name): WholeRegister[] => [
  { name, bits: 16, state: `${name}Selector`, vmcs: guestField(`${name}Selector`) },
  whole(`${name}Base`, 64),
  whole(`${name}Limit`, 32),
  whole(`${name}Access`, 32, guestField(`${name}AccessRights`)),
]);

export const wholeRegisters: ReadonlyMap<string, WholeRegister> = new Map(
  [
    ...GENERAL_REGISTERS.map((name) => whole(name, 64)),
    whole('rip', 64),
    { name: 'rflags', bits: 64, state: undefined, vmcs: 'guestRflags' } as const,
    ...STATE_64.map((name) => whole(name, 64)),
    ...segmentRegisters,
    ...(['gdtr', 'idtr'] as const).flatMap((name) => [whole(`${name}Base`, 64), whole(`${name}Limit`, 32)]),
    whole('cpl', 8),
  ].map((register) => [register.name, register]),
);

/** The flags by their bits, IOPL included, in the order of RFLAGS. */
export const flagParts: ReadonlyMap<string, RegisterPart> = new Map(
  [
    ...Object.entries(Rflags)
      .filter(([name]) => name !== 'FIXED')
      .map(([name, mask]): [string, RegisterPart] => [
        name.toLowerCase(),
        { of: 'rflags', low: mask.toString(2).length - 1, width: 1 },
      ]),
    ['iopl', { of: 'rflags', low: 12, width: 2 }] as [string, RegisterPart],
  ].sort(([, a], [, b]) => a.low - b.low),
);

/** SDM 1 3.4.1.1: the names of the low parts, and of bits 15:8 of the first four. */
function partsOfGeneral(name: string): [string, RegisterPart][] {
  const part = (low: number, width: number): RegisterPart => ({ of: name, low, width });
  if (/\d/.test(name)) {
    return [[`${name}d`, part(0, 32)], [`${name}w`, part(0, 16)], [`${name}b`, part(0, 8)]];
  }
  const word = name.slice(1);
  const parts: [string, RegisterPart][] = [[`e${word}`, part(0, 32)], [word, part(0, 16)]];
  return word.endsWith('x')
    ? [...parts, [`${word[0]}l`, part(0, 8)], [`${word[0]}h`, part(8, 8)]]
    : [...parts, [`${word}l`, part(0, 8)]];
} // prettier-ignore

export const registerParts: ReadonlyMap<string, RegisterPart> = new Map([
  ...GENERAL_REGISTERS.flatMap(partsOfGeneral),
  ['eip', { of: 'rip', low: 0, width: 32 }],
  ['eflags', { of: 'rflags', low: 0, width: 32 }],
  ...flagParts,
]);

export const isRegisterName = (name: string): boolean => wholeRegisters.has(name) || registerParts.has(name);

/** Every name, whole registers first: what completion offers. */
export const allRegisterNames: readonly string[] = [...wholeRegisters.keys(), ...registerParts.keys()];

// DWARF numbers: System V ABI, x86-64 figure 3.36; i386 table 2.14.
const DWARF_64 = [
  'rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp',
  'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip',
] as const; // prettier-ignore
const DWARF_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'] as const;

const dwarfNames: Readonly<Record<32 | 64, ReadonlyMap<number, string>>> = {
  64: new Map([
    ...DWARF_64.map((name, number): [number, string] => [number, name]),
    [49, 'rflags'],
    ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, i): [number, string] => [50 + i, name]),
    [58, 'fsbase'],
    [59, 'gsbase'],
  ]),
  32: new Map([
    ...DWARF_32.map((name, number): [number, string] => [number, name]),
    ...['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, i): [number, string] => [40 + i, name]),
  ]),
};
const dwarfNumbers: Readonly<Record<32 | 64, ReadonlyMap<string, number>>> = {
  64: new Map([...dwarfNames[64]].map(([number, name]) => [name, number])),
  32: new Map([...dwarfNames[32]].map(([number, name]) => [name, number])),
};

/** The register with a DWARF number, or undefined for one that the machine does not have. */
export const dwarfRegisterName = (number: number, bits: 32 | 64): string | undefined =>
  dwarfNames[bits].get(number);

/** The DWARF number of a register by its name in that mode: `rax` or, in 32 bits, `eax`. */
export const dwarfRegisterNumber = (name: string, bits: 32 | 64): number | undefined =>
  dwarfNumbers[bits].get(name);
