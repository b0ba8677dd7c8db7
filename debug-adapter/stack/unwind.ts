/** The frames of one world, innermost first: by call frame information, else by the call or by frame pointers. */
import type { TranslationContext, World } from '../../emulator/machine/machineTypes.js';
import type { InlineFrame, SourceLocation, UnwoundFrame } from '../../toolchain/debuginfo/debugInfo.js';
import type { NamedRegisters } from '../../toolchain/debuginfo/expression.js';
import type { MachineContext } from '../../toolchain/debuginfo/machineContext.js';
import type { MachineWriter } from '../../toolchain/debuginfo/storage.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { Image } from '../debuggee/image.js';
import { dwarfRegisterName, unwoundRegisters } from '../variables/registerFile.js';
import type { CodeFrame } from './frame.js';
import { findReturnSlot } from './returnSlot.js';

/** Where unwinding begins: the registers of the innermost frame. */
export interface UnwindStart {
  readonly threadId: number;
  readonly world: World;
  readonly vmcs: number | undefined;
  readonly bits: 32 | 64;
  readonly translation: TranslationContext;
  readonly registers: NamedRegisters;
  /** The registers are a running processor's or a guest's own: they can be set. */
  readonly writable: boolean;
}

const MOST_FRAMES = 64;
/** A frame pointer further than this above the stack pointer is no frame pointer. */
const MOST_FRAME_BYTES = 0x10_0000n;

/** DWARF numbers of the frame and stack pointer (System V ABI, x86-64 and i386). */
const POINTERS = { 64: { frame: 6, stack: 7 }, 32: { frame: 5, stack: 4 } } as const;
const REGISTER_COUNT = { 64: 17, 32: 9 } as const;

export function unwindWorld(debuggee: Debuggee, start: UnwindStart, nextId: () => number): CodeFrame[] {
  const frames: CodeFrame[] = [];
  let registers = start.registers;
  let pc = linearPc(start, registers);
  let lastCfa = -1n;
  for (let level = 0; frames.length < MOST_FRAMES; level++) {
    const image = debuggee.imageAt(start.world, level === 0 ? pc : pc - 1n);
    const step = new Unwinding(debuggee, start, image, pc, level, registers);
    frames.push(...step.frames(nextId));
    const caller = step.caller;
    if (!caller || caller.returnAddress === 0n || caller.cfa <= lastCfa) break;
    if (!debuggee.imageAt(start.world, caller.returnAddress - 1n)) break;
    lastCfa = caller.cfa;
    registers = unwoundRegisters(start.registers, caller.registers);
    pc = caller.returnAddress;
  }
  return frames;
}

/** CS base matters outside 64-bit mode only, where programs hardly ever set it. */
function linearPc(start: UnwindStart, registers: NamedRegisters): bigint {
  const rip = registers.read('rip')?.value ?? 0n;
  return start.bits === 64 ? rip : BigInt.asUintN(32, rip + (registers.read('csbase')?.value ?? 0n));
}

/** One physical frame, which stands for several when calls are inlined. */
class Unwinding {
  readonly caller: UnwoundFrame | undefined;
  private readonly lookup: bigint;
  private readonly machine: MachineContext;

  constructor(
    private readonly debuggee: Debuggee,
    private readonly start: UnwindStart,
    private readonly image: Image | undefined,
    private readonly pc: bigint,
    private readonly level: number,
    private readonly registers: NamedRegisters,
  ) {
    this.lookup = level === 0 ? pc : pc - 1n;
    this.machine = this.context(undefined);
    this.caller =
      this.byFrameInformation() ?? this.atFunctionEntry() ?? this.byCall() ?? this.byFramePointer();
  }

  frames(nextId: () => number): CodeFrame[] {
    const inlined = this.image?.debugInfo.inlineFramesAt(this.lookup) ?? [];
    const cfa = this.caller?.cfa ?? 0n;
    const machine = this.caller ? this.context(cfa) : this.machine;
    const row = this.image?.debugInfo.lineAt(this.lookup);
    return Array.from({ length: inlined.length + 1 }, (_, depth) => ({
      kind: 'code',
      id: nextId(),
      threadId: this.start.threadId,
      world: this.start.world,
      vmcs: this.start.vmcs,
      level: this.level,
      pc: this.pc,
      lookup: this.lookup,
      inlineDepth: depth,
      name: depth < inlined.length ? inlined[depth].name : this.functionName(),
      place: this.onThisMachine(depth === 0 ? row : inlined[depth - 1].call),
      image: this.image,
      cfa,
      bits: this.start.bits,
      machine,
      writer: this.writer(),
      registers: this.registers,
      translation: this.start.translation,
      isGlue: this.isGlue(inlined, row),
    }));
  }

  private functionName(): string {
    const info = this.image?.debugInfo;
    const named = info?.functionAt(this.lookup) ?? info?.symbolAt(this.lookup);
    return named?.name ?? `0x${this.pc.toString(16)}`;
  }

  private onThisMachine(place: SourceLocation | undefined): SourceLocation | undefined {
    if (!place || !this.image) return undefined;
    return { file: this.image.sourcePath(place.file), line: place.line, column: place.column };
  }

  /** Assembly of a host between its C code and the guest. */
  private isGlue(inlined: readonly InlineFrame[], row: SourceLocation | undefined): boolean {
    const isHost = this.start.world === 'root' && this.debuggee.launch.host !== undefined;
    return isHost && inlined.length === 0 && row !== undefined && /\.s$/i.test(row.file);
  }

  // -------------------------------------------------------------- the caller

  private byFrameInformation(): UnwoundFrame | undefined {
    return this.image?.debugInfo.unwind(this.lookup, this.machine);
  }

  /** At the first instruction of a function the return address is on top of the stack. */
  private atFunctionEntry(): UnwoundFrame | undefined {
    const info = this.image?.debugInfo.functionAt(this.lookup);
    if (this.level !== 0 || info?.low !== this.pc) return undefined;
    return this.returnThrough(this.register(POINTERS[this.start.bits].stack), undefined);
  }

  /** Assembly without frame information, with a frame pointer or without. */
  private byCall(): UnwoundFrame | undefined {
    const { bits } = this.start;
    const { frame, stack } = POINTERS[bits];
    const slot = findReturnSlot(this.lookup, this.register(stack), bits, (address, length) =>
      this.machine.readMemory(address, length),
    );
    if (slot === undefined) return undefined;
    const base = this.register(frame);
    // With a frame pointer the caller's lies below the return address.
    return this.returnThrough(slot, base + BigInt(bits / 8) === slot ? this.word(base) : undefined);
  }

  private byFramePointer(): UnwoundFrame | undefined {
    const { frame, stack } = POINTERS[this.start.bits];
    const base = this.register(frame);
    const top = this.register(stack);
    if (base < top || base - top > MOST_FRAME_BYTES) return undefined;
    const saved = this.word(base);
    const word = BigInt(this.start.bits / 8);
    return saved === undefined ? undefined : this.returnThrough(base + word, saved);
  }

  private returnThrough(slot: bigint, savedFrame: bigint | undefined): UnwoundFrame | undefined {
    const { frame, stack } = POINTERS[this.start.bits];
    const returnAddress = this.word(slot);
    if (returnAddress === undefined) return undefined;
    const cfa = slot + BigInt(this.start.bits / 8);
    const registers = new Map<number, bigint>();
    for (let n = 0; n < REGISTER_COUNT[this.start.bits]; n++) {
      const value = this.machine.register(n);
      if (value !== undefined) registers.set(n, value);
    }
    registers.set(stack, cfa);
    if (savedFrame !== undefined) registers.set(frame, savedFrame);
    registers.set(REGISTER_COUNT[this.start.bits] - 1, returnAddress);
    return { cfa, returnAddress, registers, isSignalFrame: false };
  }

  private register(dwarfNumber: number): bigint {
    return this.machine.register(dwarfNumber) ?? 0n;
  }

  private word(address: bigint): bigint | undefined {
    const bytes = this.machine.readMemory(address, this.start.bits / 8);
    return bytes?.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  // -------------------------------------------------------------- for debug information

  private context(cfa: bigint | undefined): MachineContext {
    const { bits, translation } = this.start;
    const { machine } = this.debuggee;
    return {
      bits,
      cfa,
      register: (dwarfNumber) => {
        const name = dwarfRegisterName(dwarfNumber, bits);
        return name === undefined ? undefined : this.registers.read(name)?.value;
      },
      readMemory: (address, length) => {
        const bytes = machine.readLinear(address, length, translation);
        return bytes.length === length ? bytes : undefined;
      },
    };
  }

  private writer(): MachineWriter {
    const { bits, translation, writable } = this.start;
    const { machine } = this.debuggee;
    return {
      writeMemory: (address, bytes) => machine.writeLinear(address, bytes, translation) === bytes.length,
      writeRegister: (dwarfNumber, value) => {
        const name = dwarfRegisterName(dwarfNumber, bits);
        return writable && this.level === 0 && name !== undefined && this.registers.write(name, value);
      },
    };
  }
}
