import { ByteWriter } from '../byteWriter.js';
import type { Expression } from './expression.js';
import type { Assembly } from './assembly.js';
import type { Fixup, Fragment, Location, Section } from './sections.js';
import { AssemblyError } from './source.js';
import type { SourceText } from './source.js';

/** DWARF 5, 7.24. */
const DW_CFA = {
  advance_loc: 0x40,
  offset: 0x80,
  restore: 0xc0,
  offset_extended: 0x05,
  restore_extended: 0x06,
  undefined: 0x07,
  same_value: 0x08,
  register: 0x09,
  remember_state: 0x0a,
  restore_state: 0x0b,
  def_cfa: 0x0c,
  def_cfa_register: 0x0d,
  def_cfa_offset: 0x0e,
  offset_extended_sf: 0x11,
  def_cfa_sf: 0x12,
  def_cfa_offset_sf: 0x13,
  val_offset: 0x14,
  val_offset_sf: 0x15,
} as const;

/** LSB, "DWARF Exception Header Encoding". */
export const DW_EH_PE = { omit: 0xff, pcrel: 0x10, indirect: 0x80, sdata4: 0x0b } as const;

/** What the rules of each width are: registers by the psABIs' DWARF numbers. */
const WIDTHS = {
  64: { dataAlignment: -8, stackPointer: 7, returnColumn: 16, alignment: 8 },
  32: { dataAlignment: -4, stackPointer: 4, returnColumn: 8, alignment: 4 },
} as const;

/** Where the CFA is known to be, for directives that count from it. */
interface CfaState {
  register: number;
  offset: bigint;
}

type Operation =
  | { readonly kind: 'advance'; readonly from: Location; readonly to: Location }
  /** `startsBody`: an operation that GNU as never moves into the shared CIE. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly startsBody: boolean };

interface EncodedPointer {
  readonly encoding: number;
  readonly value: Expression | undefined;
}

const ABSENT: EncodedPointer = { encoding: DW_EH_PE.omit, value: undefined };

/** One procedure between `.cfi_startproc` and `.cfi_endproc`. */
class FrameDescription {
  readonly operations: Operation[] = [];
  end: Location | undefined;
  personality = ABSENT;
  lsda = ABSENT;
  isSignal = false;
  returnColumn: number;
  readonly cfa: CfaState;
  readonly saved: CfaState[] = [];
  last: Location;

  constructor(
    readonly start: Location,
    readonly source: SourceText,
    readonly bits: 32 | 64,
  ) {
    const { stackPointer, returnColumn } = WIDTHS[bits];
    this.cfa = { register: stackPointer, offset: 0n };
    this.returnColumn = returnColumn;
    this.last = start;
  }
}

/** What the `.cfi_*` directives said; written as `.eh_frame` and `.debug_frame` at the end. */
export class CallFrames {
  private readonly frames: FrameDescription[] = [];
  private open: FrameDescription | undefined;
  targets: readonly ('.eh_frame' | '.debug_frame')[] = ['.eh_frame'];

  start(here: Location, source: SourceText, bits: 32 | 64, isSimple: boolean): void {
    if (this.open) throw new AssemblyError('.cfi_startproc inside another: .cfi_endproc is missing');
    this.open = new FrameDescription(here, source, bits);
    if (isSimple) return;
    const { stackPointer, returnColumn } = WIDTHS[bits];
    this.defineCfa(here, stackPointer, BigInt(bits / 8));
    this.offset(here, returnColumn, -BigInt(bits / 8));
  }

  finish(here: Location): void {
    const frame = this.current();
    frame.end = here;
    this.frames.push(frame);
    this.open = undefined;
  }

  /** The `.cfi_startproc` that has no end. */
  unclosed(): SourceText | undefined {
    return this.open?.source;
  }

  /** @throws AssemblyError outside of a procedure */
  current(): FrameDescription {
    if (!this.open) throw new AssemblyError('CFI instruction used without previous .cfi_startproc');
    return this.open;
  }

  private add(here: Location, bytes: Uint8Array, startsBody = false): void {
    const frame = this.current();
    const { last } = frame;
    if (last.chunk !== here.chunk || last.chunk.fixedDistance(last.index, here.index) !== 0) {
      frame.operations.push({ kind: 'advance', from: last, to: here });
      frame.last = here;
    }
    frame.operations.push({ kind: 'bytes', bytes, startsBody });
  }

  private factored(offset: bigint): bigint {
    const { dataAlignment } = WIDTHS[this.current().bits];
    return offset / BigInt(dataAlignment);
  }

  defineCfa(here: Location, register: number, offset: bigint): void {
    Object.assign(this.current().cfa, { register, offset });
    const writer = new ByteWriter();
    if (offset < 0n) writer.u8(DW_CFA.def_cfa_sf).uleb(register).sleb(this.factored(offset));
    else writer.u8(DW_CFA.def_cfa).uleb(register).uleb(offset);
    this.add(here, writer.take());
  }

  defineCfaRegister(here: Location, register: number): void {
    this.current().cfa.register = register;
    this.add(here, new ByteWriter().u8(DW_CFA.def_cfa_register).uleb(register).take());
  }

  defineCfaOffset(here: Location, offset: bigint): void {
    this.current().cfa.offset = offset;
    const writer = new ByteWriter();
    if (offset < 0n) writer.u8(DW_CFA.def_cfa_offset_sf).sleb(this.factored(offset));
    else writer.u8(DW_CFA.def_cfa_offset).uleb(offset);
    this.add(here, writer.take());
  }

  adjustCfaOffset(here: Location, change: bigint): void {
    this.defineCfaOffset(here, this.current().cfa.offset + change);
  }

  offset(here: Location, register: number, offset: bigint): void {
    const factored = this.factored(offset);
    const writer = new ByteWriter();
    if (factored < 0n) writer.u8(DW_CFA.offset_extended_sf).uleb(register).sleb(factored);
    else if (register < 0x40) writer.u8(DW_CFA.offset | register).uleb(factored);
    else writer.u8(DW_CFA.offset_extended).uleb(register).uleb(factored);
    this.add(here, writer.take());
  }

  relativeOffset(here: Location, register: number, offset: bigint): void {
    this.offset(here, register, offset - this.current().cfa.offset);
  }

  valueOffset(here: Location, register: number, offset: bigint): void {
    const factored = this.factored(offset);
    const writer = new ByteWriter()
      .u8(factored < 0n ? DW_CFA.val_offset_sf : DW_CFA.val_offset)
      .uleb(register);
    this.add(here, (factored < 0n ? writer.sleb(factored) : writer.uleb(factored)).take());
  }

  moved(here: Location, register: number, to: number): void {
    this.add(here, new ByteWriter().u8(DW_CFA.register).uleb(register).uleb(to).take());
  }

  registerRule(here: Location, rule: 'restore' | 'undefined' | 'same_value', register: number): void {
    const writer = new ByteWriter();
    if (rule !== 'restore') writer.u8(DW_CFA[rule]).uleb(register);
    else if (register < 0x40) writer.u8(DW_CFA.restore | register);
    else writer.u8(DW_CFA.restore_extended).uleb(register);
    this.add(here, writer.take());
  }

  rememberState(here: Location): void {
    const frame = this.current();
    frame.saved.push({ ...frame.cfa });
    this.add(here, Uint8Array.of(DW_CFA.remember_state), true);
  }

  restoreState(here: Location): void {
    const frame = this.current();
    const saved = frame.saved.pop();
    if (!saved) throw new AssemblyError('.cfi_restore_state without .cfi_remember_state');
    Object.assign(frame.cfa, saved);
    this.add(here, Uint8Array.of(DW_CFA.restore_state));
  }

  escape(here: Location, bytes: Uint8Array): void {
    this.add(here, bytes, true);
  }

  /** Puts the tables into their sections. */
  write(assembly: Assembly): void {
    if (this.frames.length === 0) return;
    for (const target of this.targets) {
      const section = assembly.sectionNamed(target);
      section.alignment = Math.max(section.alignment, WIDTHS[assembly.options.bits].alignment);
      new FrameTableWriter(section, target === '.eh_frame', assembly.options.bits).write(this.frames);
    }
  }
}

/** One CIE with what frames must have in common to share it. */
interface CommonInformation {
  readonly key: string;
  readonly location: Location;
}

class FrameTableWriter {
  private readonly commons: CommonInformation[] = [];
  private readonly chunk;

  constructor(
    section: Section,
    private readonly isExceptionTable: boolean,
    private readonly bits: 32 | 64,
  ) {
    this.chunk = section.subsection(0);
  }

  write(frames: readonly FrameDescription[]): void {
    frames.forEach((frame, index) => {
      const bodyStart = frame.operations.findIndex(
        (operation) => operation.kind === 'advance' || operation.startsBody,
      );
      const initial = bodyStart < 0 ? frame.operations : frame.operations.slice(0, bodyStart);
      const body = bodyStart < 0 ? [] : frame.operations.slice(bodyStart);
      const common = this.common(frame, initial);
      const isLast = index === frames.length - 1;
      this.description(frame, common, body, isLast ? WIDTHS[this.bits].alignment : 4);
    });
  }

  private emit(source: SourceText, bytes: Uint8Array, fixups: readonly Fixup[] = []): void {
    this.chunk.add({ kind: 'bytes', source, bytes, fixups, size: bytes.length });
  }

  /** A field whose value is an expression. */
  private field(source: SourceText, size: 4 | 8, expression: Expression): void {
    const fixup: Fixup = { offset: 0, size, expression, relative: 'no', range: 'either' };
    this.emit(source, new Uint8Array(size), [fixup]);
  }

  private difference(source: SourceText, size: 4 | 8, left: Location, right: Location): void {
    this.field(source, size, difference(left, right));
  }

  /** Writes the length field; returns what ends the unit. */
  private unit(source: SourceText): (alignment: number) => void {
    const start: { end?: Location } = {};
    const end = { name: 'end of the frame table unit', definition: () => start.end };
    const afterLength = { chunk: this.chunk, index: this.chunk.fragments.length + 1 };
    const expression: Expression = {
      kind: 'binary',
      operator: '-',
      left: { kind: 'symbol', symbol: end, ...NOWHERE },
      right: { kind: 'location', location: afterLength, ...NOWHERE },
      ...NOWHERE,
    };
    this.field(source, 4, expression);
    return (alignment) => {
      const pattern = Uint8Array.of(0);
      const align = {
        kind: 'align',
        source,
        alignment,
        pattern,
        limit: Infinity,
        size: 0,
      } as const;
      this.chunk.add(align as Fragment);
      start.end = this.chunk.here();
    };
  }

  private common(frame: FrameDescription, initial: readonly Operation[]): CommonInformation {
    const bytes = new ByteWriter();
    for (const operation of initial) if (operation.kind === 'bytes') bytes.bytes(operation.bytes);
    const instructions = bytes.take();
    const { personality, lsda, isSignal, returnColumn, source } = frame;
    const key = [
      personality.encoding,
      nameOf(personality.value),
      lsda.encoding,
      isSignal,
      returnColumn,
      instructions,
    ].join();
    const existing = this.commons.find((other) => other.key === key);
    if (existing) return existing;
    const created = { key, location: this.chunk.here() };
    this.commons.push(created);
    const endUnit = this.unit(source);
    const { dataAlignment } = WIDTHS[this.bits];
    const head = new ByteWriter().u32(this.isExceptionTable ? 0 : 0xffffffff).u8(1 /* version */);
    if (!this.isExceptionTable) {
      head
        .string(isSignal ? 'S' : '')
        .uleb(1)
        .sleb(dataAlignment)
        .u8(returnColumn);
      this.emit(source, head.bytes(instructions).take());
      endUnit(this.bits / 8);
      return created;
    }
    const hasPersonality = personality.encoding !== DW_EH_PE.omit;
    const hasLsda = lsda.encoding !== DW_EH_PE.omit;
    head.string(`z${hasPersonality ? 'P' : ''}${hasLsda ? 'L' : ''}R${isSignal ? 'S' : ''}`);
    head.uleb(1).sleb(dataAlignment).u8(returnColumn);
    const pointerSize = pointerBytes(personality.encoding, this.bits);
    head.uleb((hasPersonality ? 1 + pointerSize : 0) + (hasLsda ? 1 : 0) + 1);
    if (hasPersonality) {
      this.emit(source, head.u8(personality.encoding).take());
      this.pointer(source, personality);
      head.length = 0;
    }
    if (hasLsda) head.u8(lsda.encoding);
    head.u8(DW_EH_PE.pcrel | DW_EH_PE.sdata4).bytes(instructions);
    this.emit(source, head.take());
    endUnit(4);
    return created;
  }

  private pointer(source: SourceText, { encoding, value }: EncodedPointer): void {
    const size = pointerBytes(encoding, this.bits);
    const here = this.chunk.here();
    const isRelative = (encoding & 0x70) === DW_EH_PE.pcrel;
    const place: Expression = { kind: 'location', location: here, ...NOWHERE };
    this.field(
      source,
      size,
      isRelative ? { kind: 'binary', operator: '-', left: value!, right: place, ...NOWHERE } : value!,
    );
  }

  private description(
    frame: FrameDescription,
    common: CommonInformation,
    body: readonly Operation[],
    alignment: number,
  ): void {
    const { source, start, end, lsda } = frame;
    const endUnit = this.unit(source);
    if (this.isExceptionTable) {
      this.difference(source, 4, this.chunk.here(), common.location);
      this.difference(source, 4, start, this.chunk.here());
      this.difference(source, 4, end!, start);
      const hasLsda = lsda.encoding !== DW_EH_PE.omit;
      this.emit(source, Uint8Array.of(hasLsda ? pointerBytes(lsda.encoding, this.bits) : 0));
      if (hasLsda) this.pointer(source, lsda);
    } else {
      const size = this.bits === 64 ? 8 : 4;
      this.field(source, 4, { kind: 'location', location: common.location, ...NOWHERE });
      this.field(source, size, { kind: 'location', location: start, ...NOWHERE });
      this.difference(source, size, end!, start);
    }
    for (const operation of body) {
      if (operation.kind === 'bytes') this.emit(source, operation.bytes);
      else this.chunk.add({ kind: 'advance', source, from: operation.from, to: operation.to, size: 0 });
    }
    endUnit(this.isExceptionTable ? alignment : this.bits / 8);
  }
}

const NOWHERE = { start: 0, end: 0 } as const;

function difference(left: Location, right: Location): Expression {
  return {
    kind: 'binary',
    operator: '-',
    left: { kind: 'location', location: left, ...NOWHERE },
    right: { kind: 'location', location: right, ...NOWHERE },
    ...NOWHERE,
  };
}

function nameOf(value: Expression | undefined): string {
  return value?.kind === 'symbol' ? value.symbol.name : '';
}

function pointerBytes(encoding: number, bits: 32 | 64): 4 | 8 {
  return { 2: 4, 3: 4, 4: 8 }[encoding & 7] === 4 || bits === 32 ? 4 : 8;
}

const NAMES_64 = [
  ...['rax', 'rdx', 'rcx', 'rbx', 'rsi', 'rdi', 'rbp', 'rsp'],
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rip'],
];
const NAMES_32 = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi', 'eip', 'eflags'];

/** The first numbers of the vector and x87 registers (x86-64 psABI 3.6.2, i386 psABI 2.4.2). */
const GROUPS = { 64: { xmm: 17, st: 33, mm: 41 }, 32: { xmm: 21, st: 11, mm: 29 } } as const;

/** The DWARF number of a register; undefined for one that has none. */
export function dwarfRegister(name: string, bits: 32 | 64): number | undefined {
  const general = (bits === 64 ? NAMES_64 : NAMES_32).indexOf(name);
  if (general >= 0) return general;
  if (bits === 64 && name === 'rflags') return 49;
  const found = /^(xmm|st|mm)\(?(\d+)?\)?$/.exec(name);
  return found ? GROUPS[bits][found[1] as 'xmm' | 'st' | 'mm'] + Number(found[2] ?? 0) : undefined;
}
