import type { ByteReader } from '../elf/byteReader.js';
import { DW_LNE, DW_LNS } from './constants.js';
import type { LineHeader } from './lineHeader.js';

/** One row of the line table (DWARF 5 6.2.2). */
export interface Row {
  readonly address: bigint;
  /** Index into the header's files. */
  readonly file: number;
  readonly line: number;
  readonly column: number;
  readonly isStatement: boolean;
  readonly prologueEnd: boolean;
}

/** Rows for one contiguous piece of code, in the order of the program; `end` is the address after the last. */
export interface Sequence {
  readonly rows: readonly Row[];
  readonly end: bigint;
}

/** The registers of the state machine (DWARF 5 6.2.2). */
interface State {
  address: bigint;
  file: number;
  line: number;
  column: number;
  isStatement: boolean;
  prologueEnd: boolean;
}

/** What the program tells it to do besides changing the state. */
type Effect = 'row' | 'end' | undefined;

/** Runs a line number program. Rows that no end_sequence follows are dropped, since their end is unknown. */
export function runLineProgram(header: LineHeader, program: ByteReader): Sequence[] {
  const sequences: Sequence[] = [];
  let state = initialState(header);
  let rows: Row[] = [];
  while (!program.atEnd) {
    switch (step(header, program, state)) {
      case 'row':
        rows.push(rowOf(state));
        state.prologueEnd = false;
        break;
      case 'end':
        sequences.push({ rows, end: state.address });
        rows = [];
        state = initialState(header);
        break;
    }
  }
  return sequences;
}

/** Spelled out, since a spread is several times slower and there are millions of rows. */
function rowOf({ address, file, line, column, isStatement, prologueEnd }: State): Row {
  return { address, file, line, column, isStatement, prologueEnd };
}

function initialState(header: LineHeader): State {
  return {
    address: 0n,
    file: 1,
    line: 1,
    column: 0,
    isStatement: header.defaultIsStatement,
    prologueEnd: false,
  };
}

function step(header: LineHeader, program: ByteReader, state: State): Effect {
  const opcode = program.u8();
  if (opcode >= header.opcodeBase) {
    return special(header, state, opcode);
  }
  if (opcode === 0) {
    return extended(program, state);
  }
  const operation = STANDARD[opcode];
  if (operation !== undefined) {
    return operation(state, program, header);
  }
  for (let operand = 0; operand < header.standardOpcodeLengths[opcode]; operand++) {
    program.skipLeb();
  }
  return undefined;
}

/** DWARF 5 6.2.5.1 */
function special(header: LineHeader, state: State, opcode: number): Effect {
  const adjusted = opcode - header.opcodeBase;
  advance(header, state, Math.floor(adjusted / header.lineRange));
  state.line += header.lineBase + (adjusted % header.lineRange);
  return 'row';
}

/** DWARF 5 6.2.5.2 */
const STANDARD: Readonly<Record<number, (state: State, program: ByteReader, header: LineHeader) => Effect>> =
  {
    [DW_LNS.copy]: () => 'row',
    [DW_LNS.advance_pc]: (state, program, header) => {
      const operations = program.ulebBig();
      state.address = BigInt.asUintN(
        64,
        state.address + operations * BigInt(header.minimumInstructionLength),
      );
      return undefined;
    },
    [DW_LNS.advance_line]: (state, program) => {
      state.line += program.sleb();
      return undefined;
    },
    [DW_LNS.set_file]: (state, program) => {
      state.file = program.uleb();
      return undefined;
    },
    [DW_LNS.set_column]: (state, program) => {
      state.column = program.uleb();
      return undefined;
    },
    [DW_LNS.negate_stmt]: (state) => {
      state.isStatement = !state.isStatement;
      return undefined;
    },
    [DW_LNS.const_add_pc]: (state, _program, header) => {
      advance(header, state, Math.floor((255 - header.opcodeBase) / header.lineRange));
      return undefined;
    },
    [DW_LNS.fixed_advance_pc]: (state, program) => {
      state.address += BigInt(program.u16());
      return undefined;
    },
    [DW_LNS.set_prologue_end]: (state) => {
      state.prologueEnd = true;
      return undefined;
    },
  };

/** DWARF 5 6.2.5.3; operations that are not known are skipped by their length, as the standard provides. */
function extended(program: ByteReader, state: State): Effect {
  const start = program.offset;
  const length = program.uleb();
  if (length === 0) {
    throw program.error('an extended opcode of length 0', start);
  }
  const operation = program.slice(length);
  switch (operation.u8()) {
    case DW_LNE.end_sequence:
      return 'end';
    case DW_LNE.set_address:
      state.address = operation.unsigned(length - 1);
      return undefined;
    case DW_LNE.define_file:
      throw operation.error('DW_LNE_define_file is not supported', start);
    default:
      return undefined;
  }
}

function advance(header: LineHeader, state: State, operations: number): void {
  state.address = BigInt.asUintN(64, state.address + BigInt(operations * header.minimumInstructionLength));
}
