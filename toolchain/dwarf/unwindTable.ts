import { ByteReader } from '../elf/byteReader.js';
import type { CommonEntry, FrameEntry } from './callFrames.js';
import { DW_CFA, dwarfName } from './constants.js';

/** How the caller's value of a register is found (DWARF 5 6.4.1). A register without a rule is left as the ABI has it. */
export type RegisterRule =
  | { readonly kind: 'undefined' }
  | { readonly kind: 'sameValue' }
  /** Saved at CFA + offset. */
  | { readonly kind: 'offset'; readonly offset: bigint }
  /** The value is CFA + offset. */
  | { readonly kind: 'valueOffset'; readonly offset: bigint }
  | { readonly kind: 'register'; readonly register: number }
  /** Saved at the address that the expression computes. */
  | { readonly kind: 'expression'; readonly expression: Uint8Array }
  | { readonly kind: 'valueExpression'; readonly expression: Uint8Array };

export type CfaRule =
  | { readonly kind: 'register'; readonly register: number; readonly offset: bigint }
  | { readonly kind: 'expression'; readonly expression: Uint8Array };

/** The row of the unwind table for one address. */
export interface UnwindRow {
  readonly cfa: CfaRule;
  readonly registers: ReadonlyMap<number, RegisterRule>;
}

interface State {
  cfa: CfaRule | undefined;
  registers: Map<number, RegisterRule>;
}

/** The row that holds at an address of the entry: runs the CIE's instructions, then the FDE's up to the address. */
export function unwindRow(entry: FrameEntry, address: bigint): UnwindRow {
  const program = new CallFrameProgram(entry.common, entry.low);
  program.run(entry.common.instructions, undefined);
  program.keepInitialRules();
  program.run(entry.instructions, address);
  if (program.state.cfa === undefined) {
    throw entry.instructions.error('the call frame instructions define no CFA');
  }
  return { cfa: program.state.cfa, registers: program.state.registers };
}

class CallFrameProgram {
  state: State = { cfa: undefined, registers: new Map() };
  private initial = new Map<number, RegisterRule>();
  private readonly remembered: State[] = [];

  constructor(
    readonly common: CommonEntry,
    public location: bigint,
  ) {}

  keepInitialRules(): void {
    this.initial = new Map(this.state.registers);
  }

  /** Runs until the instructions end or the location is beyond `address`. */
  run(instructions: ByteReader, address: bigint | undefined): void {
    const { bytes, section, offset, end } = instructions;
    const reader = new ByteReader(bytes, section, offset, end);
    while (!reader.atEnd && (address === undefined || this.location <= address)) {
      const start = reader.offset;
      const opcode = reader.u8();
      const primary = opcode & 0xc0;
      if (primary !== 0) {
        PRIMARY_INSTRUCTIONS[primary](this, reader, opcode & 0x3f);
      } else {
        const instruction = INSTRUCTIONS[opcode];
        if (instruction === undefined) {
          throw reader.error(`${dwarfName('DW_CFA', DW_CFA, opcode)} is not supported`, start);
        }
        instruction(this, reader);
      }
    }
  }

  advance(delta: number): void {
    this.location += BigInt(delta) * this.common.codeAlignment;
  }

  set(register: number, rule: RegisterRule): void {
    this.state.registers.set(register, rule);
  }

  /** Back to the rule that the CIE gave the register. */
  restore(register: number): void {
    const rule = this.initial.get(register);
    if (rule === undefined) {
      this.state.registers.delete(register);
    } else {
      this.state.registers.set(register, rule);
    }
  }

  factored(offset: bigint): bigint {
    return offset * this.common.dataAlignment;
  }

  /** The CFA rule as register and offset, which the instructions that change one of them need. */
  cfaRegister(reader: ByteReader): { register: number; offset: bigint } {
    const { cfa } = this.state;
    if (cfa?.kind !== 'register') {
      throw reader.error('changes the CFA rule, which is not a register and an offset');
    }
    return cfa;
  }

  defineCfa(register: number, offset: bigint): void {
    this.state.cfa = { kind: 'register', register, offset };
  }

  remember(): void {
    this.remembered.push({ cfa: this.state.cfa, registers: new Map(this.state.registers) });
  }

  recall(reader: ByteReader): void {
    const state = this.remembered.pop();
    if (state === undefined) {
      throw reader.error('DW_CFA_restore_state without DW_CFA_remember_state');
    }
    this.state = state;
  }
}

/** DWARF 5 6.4.2, the instructions with an operand in the low six bits. */
const PRIMARY_INSTRUCTIONS: Readonly<
  Record<number, (program: CallFrameProgram, reader: ByteReader, operand: number) => void>
> = {
  [DW_CFA.advance_loc]: (program, _reader, delta) => program.advance(delta),
  [DW_CFA.offset]: (program, reader, register) =>
    program.set(register, { kind: 'offset', offset: program.factored(reader.ulebBig()) }),
  [DW_CFA.restore]: (program, _reader, register) => program.restore(register),
};

/** DWARF 5 6.4.2, the others. */
const INSTRUCTIONS: Readonly<Record<number, (program: CallFrameProgram, reader: ByteReader) => void>> = {
  [DW_CFA.nop]: () => undefined,
  [DW_CFA.set_loc]: (program, reader) => {
    program.location = reader.unsigned(program.common.addressSize);
  },
  [DW_CFA.advance_loc1]: (program, reader) => program.advance(reader.u8()),
  [DW_CFA.advance_loc2]: (program, reader) => program.advance(reader.u16()),
  [DW_CFA.advance_loc4]: (program, reader) => program.advance(reader.u32()),
  [DW_CFA.offset_extended]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'offset', offset: program.factored(reader.ulebBig()) }),
  [DW_CFA.offset_extended_sf]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'offset', offset: program.factored(reader.slebBig()) }),
  [DW_CFA.GNU_negative_offset_extended]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'offset', offset: -program.factored(reader.ulebBig()) }),
  [DW_CFA.val_offset]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'valueOffset', offset: program.factored(reader.ulebBig()) }),
  [DW_CFA.val_offset_sf]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'valueOffset', offset: program.factored(reader.slebBig()) }),
  [DW_CFA.restore_extended]: (program, reader) => program.restore(reader.uleb()),
  [DW_CFA.undefined]: (program, reader) => program.set(reader.uleb(), { kind: 'undefined' }),
  [DW_CFA.same_value]: (program, reader) => program.set(reader.uleb(), { kind: 'sameValue' }),
  [DW_CFA.register]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'register', register: reader.uleb() }),
  [DW_CFA.remember_state]: (program) => program.remember(),
  [DW_CFA.restore_state]: (program, reader) => program.recall(reader),
  [DW_CFA.def_cfa]: (program, reader) => program.defineCfa(reader.uleb(), reader.ulebBig()),
  [DW_CFA.def_cfa_sf]: (program, reader) =>
    program.defineCfa(reader.uleb(), program.factored(reader.slebBig())),
  [DW_CFA.def_cfa_register]: (program, reader) =>
    program.defineCfa(reader.uleb(), program.cfaRegister(reader).offset),
  [DW_CFA.def_cfa_offset]: (program, reader) =>
    program.defineCfa(program.cfaRegister(reader).register, reader.ulebBig()),
  [DW_CFA.def_cfa_offset_sf]: (program, reader) =>
    program.defineCfa(program.cfaRegister(reader).register, program.factored(reader.slebBig())),
  [DW_CFA.def_cfa_expression]: (program, reader) => {
    program.state.cfa = { kind: 'expression', expression: reader.block(reader.uleb()) };
  },
  [DW_CFA.expression]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'expression', expression: reader.block(reader.uleb()) }),
  [DW_CFA.val_expression]: (program, reader) =>
    program.set(reader.uleb(), { kind: 'valueExpression', expression: reader.block(reader.uleb()) }),
  [DW_CFA.GNU_args_size]: (_program, reader) => reader.skipLeb(),
};
