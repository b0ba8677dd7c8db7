/** SSE and SSE2 moves and integer operations, over WebAssembly's 128-bit vectors (SDM 1 10.4, 11.4). */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import { v128 } from '../../wasm/vector.js';
import { Vector } from '../fault.js';
import { Access } from '../seams.js';
import type { Emitter, Place } from './emitter.js';
import type { Semantics } from './semantics.js';

/** Checks that every one of these instructions makes first (SDM 2A table 2-21): the extension is enabled. */
const checked =
  (emit: Semantics): Semantics =>
  (e) => {
    e.checkVectorsEnabled();
    emit(e);
  };

const bytes = (of: (index: number) => number): number[] =>
  Array.from({ length: 16 }, (_, index) => of(index));
const ZERO = v128.constant(bytes(() => 0));
const IDENTITY = v128.constant(bytes((index) => index));

/** Opcodes of WebAssembly by x86 mnemonic: destination = destination op source. */
const BINARY: Readonly<Record<string, number>> = {
  paddb: 110, paddw: 142, paddd: 174, paddq: 206,
  psubb: 113, psubw: 145, psubd: 177, psubq: 209,
  paddsb: 111, paddusb: 112, paddsw: 143, paddusw: 144,
  psubsb: 114, psubusb: 115, psubsw: 146, psubusw: 147,
  pmullw: 149, pmaddwd: 186,
  pminub: 119, pmaxub: 121, pminsw: 150, pmaxsw: 152,
  pavgb: 123, pavgw: 155,
  pand: 78, por: 80, pxor: 81,
  pcmpeqb: 35, pcmpeqw: 45, pcmpeqd: 55,
  pcmpgtb: 39, pcmpgtw: 49, pcmpgtd: 59,
  packsswb: 101, packuswb: 102, packssdw: 133,
}; // prettier-ignore

const Op = {
  SWIZZLE: 14, ANDNOT: 79, AND: 78, OR: 80, SUB_SAT_U8: 115, ADD64: 206, SHR_U64: 205, MUL64: 213,
  EXTMUL_LOW_S: 188, EXTMUL_HIGH_S: 189, EXTMUL_LOW_U: 190, EXTMUL_HIGH_U: 191,
  PAIRWISE_U8: 125, PAIRWISE_U16: 127, SUB8: 113, ADD8: 110,
  BITMASK8: 100, BITMASK32: 164, BITMASK64: 196,
} as const; // prettier-ignore

type Combine = (destination: Expression, source: Expression) => Expression;

/** A 16-byte operand: memory must be aligned (SDM 1 10.4.1). */
function source(e: Emitter, operand: number): Place {
  return e.shape.operands[operand].kind === 'memory'
    ? e.alignedMemory(operand, 16, Access.READ, Vector.GP)
    : e.operand(operand, Access.READ);
}

const combine =
  (operation: Combine): Semantics =>
  (e) => {
    const right = e.let(source(e, 1).get());
    const destination = e.operand(0, Access.WRITE);
    destination.set(operation(e.let(destination.get()), right));
  };

/** Lanes of `size` bytes of the low or high halves, alternately of destination and source. */
const interleave = (size: number, high: boolean): Combine => {
  const lanes = bytes((index) => {
    const lane = Math.floor(index / size);
    return (high ? 8 : 0) + (lane >> 1) * size + (index % size) + (lane & 1 ? 16 : 0);
  });
  return (a, b) => v128.shuffle(a, b, lanes);
};

const highProducts =
  (low: number, high: number): Combine =>
  (a, b) => {
    const upperWords = bytes((index) => (index >> 1) * 4 + 2 + (index & 1));
    return v128.shuffle(v128.binary(low, a, b), v128.binary(high, a, b), upperWords);
  };

const LOW_DOUBLEWORDS = v128.constant(bytes((index) => (index % 8 < 4 ? 0xff : 0)));
const evenDoubleword = (value: Expression): Expression => v128.binary(Op.AND, value, LOW_DOUBLEWORDS);

/** Sums of absolute differences of the bytes of each half. */
const sumOfDifferences: Semantics = (e) => {
  const right = e.let(source(e, 1).get());
  const destination = e.operand(0, Access.WRITE);
  const left = e.let(destination.get());
  const one = v128.binary(Op.SUB_SAT_U8, left, right);
  const other = v128.binary(Op.SUB_SAT_U8, right, left);
  const words = v128.unary(Op.PAIRWISE_U8, v128.binary(Op.OR, one, other));
  const sums = e.let(v128.unary(Op.PAIRWISE_U16, words));
  const total = v128.binary(Op.ADD64, sums, v128.shift(Op.SHR_U64, sums, i32.constant(32)));
  destination.set(evenDoubleword(total));
};

/** Shifts of lanes: a count beyond their width gives 0, or the sign in every bit. */
const laneShift =
  (opcode: number, bits: number, arithmetic: boolean): Semantics =>
  (e) => {
    const immediate = e.shape.operands[1].kind === 'immediate';
    const count = immediate
      ? i64.extendU(e.operand(1, Access.READ).get())
      : v128.extractI64(source(e, 1).get(), 0);
    const bound = e.let(count);
    const destination = e.operand(0, Access.WRITE);
    const value = e.let(destination.get());
    const inside = i64.ltU(bound, i64.constant(bits));
    if (arithmetic) {
      const clamped = select(i32.wrap(bound), i32.constant(bits - 1), inside);
      destination.set(v128.shift(opcode, value, clamped));
    } else {
      destination.set(select(v128.shift(opcode, value, i32.wrap(bound)), ZERO, inside));
    }
  };

/** PSLLDQ, PSRLDQ: lanes picked from beyond the vector are 0. */
const byteShift =
  (opcode: number): Semantics =>
  (e) => {
    const immediate = e.let(e.operand(1, Access.READ).get());
    const count = select(immediate, i32.constant(16), i32.ltU(immediate, i32.constant(16)));
    const destination = e.operand(0, Access.WRITE);
    const indices = v128.binary(opcode, IDENTITY, v128.splat(15, count));
    destination.set(v128.binary(Op.SWIZZLE, e.let(destination.get()), indices));
  };

/** Two bits of a selector, for lane `index` of four. */
const selected = (selector: Expression, index: number): Expression =>
  i32.and(i32.shrU(selector, i32.constant(index * 2)), i32.constant(3));

/** For SWIZZLE: the bytes of doubleword n are 4n to 4n + 3. */
const doublewordIndices = (e: Emitter, selector: Expression): Expression =>
  e.let(
    [0, 1, 2, 3].reduce((vector, lane) => {
      const indices = i32.add(
        i32.mul(selected(selector, lane), i32.constant(0x0404_0404)),
        i32.constant(0x0302_0100),
      );
      return v128.replaceI32(vector, lane, indices);
    }, IDENTITY),
  );

const shuffleDoublewords: Semantics = (e) => {
  const selector = e.let(e.operand(2, Access.READ).get());
  const value = e.let(source(e, 1).get());
  e.operand(0, Access.WRITE).set(v128.binary(Op.SWIZZLE, value, doublewordIndices(e, selector)));
};

const shuffleWords =
  (high: boolean): Semantics =>
  (e) => {
    const selector = e.let(e.operand(2, Access.READ).get());
    const value = e.let(source(e, 1).get());
    const first = high ? 4 : 0;
    const indices = [0, 1, 2, 3].reduce((vector, lane) => {
      const pair = i32.add(
        i32.mul(selected(selector, lane), i32.constant(0x0202)),
        i32.constant(0x0100 + first * 0x0202),
      );
      return v128.replaceI16(vector, first + lane, pair);
    }, IDENTITY);
    e.operand(0, Access.WRITE).set(v128.binary(Op.SWIZZLE, value, e.let(indices)));
  };

const shufps: Semantics = (e) => {
  const selector = e.let(e.operand(2, Access.READ).get());
  const right = e.let(source(e, 1).get());
  const destination = e.operand(0, Access.WRITE);
  const left = e.let(destination.get());
  const indices = doublewordIndices(e, selector);
  const [a, b] = [left, right].map((value) => v128.binary(Op.SWIZZLE, value, indices));
  destination.set(
    v128.shuffle(
      a,
      b,
      bytes((index) => (index < 8 ? index : index + 16)),
    ),
  );
};

const shufpd: Semantics = (e) => {
  const selector = e.let(e.operand(2, Access.READ).get());
  const right = e.let(source(e, 1).get());
  const destination = e.operand(0, Access.WRITE);
  const left = e.let(destination.get());
  const pick = (value: Expression, bit: number): Expression =>
    select(v128.extractI64(value, 1), v128.extractI64(value, 0), i32.and(selector, i32.constant(bit)));
  const low = e.let(pick(left, 1));
  destination.set(v128.replaceI64(v128.splat(18, low), 1, pick(right, 2)));
};

// -------------------------------------------------------------- moves

const moveVector =
  (aligned: boolean): Semantics =>
  (e) => {
    const place = (operand: number, access: number): Place =>
      aligned && e.shape.operands[operand].kind === 'memory'
        ? e.alignedMemory(operand, 16, access, Vector.GP)
        : e.operand(operand, access);
    const value = e.let(place(1, Access.READ).get());
    place(0, Access.WRITE).set(value);
  };

/** A vector of two quadwords. */
const quadwords = (low: Expression, high?: Expression): Expression => {
  const vector = v128.replaceI64(ZERO, 0, low);
  return high ? v128.replaceI64(vector, 1, high) : vector;
};

/** The low quadword of a vector register, or memory of 8 bytes: i64. */
const lowQuadword = (e: Emitter, operand: number): Expression => {
  const value = e.let(e.operand(operand, Access.READ).get());
  return e.shape.operands[operand].kind === 'vector' ? v128.extractI64(value, 0) : value;
};

const moveLowQuadword: Semantics = (e) => {
  const value = e.let(lowQuadword(e, 1));
  e.operand(0, Access.WRITE).set(e.shape.operands[0].kind === 'vector' ? quadwords(value) : value);
};

/** Replaces a part of the destination register. */
const replace =
  (part: (e: Emitter, destination: Expression) => Expression): Semantics =>
  (e) => {
    const destination = e.operand(0, Access.WRITE);
    destination.set(part(e, e.let(destination.get())));
  };

/** An i32 into an integer register of 4 or 8 bytes. */
const extractInteger =
  (part: (e: Emitter, value: Expression) => Expression): Semantics =>
  (e) => {
    const value = e.let(part(e, e.operand(1, Access.READ).get()));
    e.operand(0, Access.WRITE).set(e.sizeOf(0) === 8 ? i64.extendU(value) : value);
  };

const extract =
  (part: (value: Expression) => Expression): Semantics =>
  (e) => {
    const value = e.let(part(e.operand(1, Access.READ).get()));
    e.operand(0, Access.WRITE).set(value);
  };

const laneAddress = (lane: Expression): Expression => i32.and(lane, i32.constant(7));

/** PEXTRW: the word is swizzled to the front. */
const extractWord = extractInteger((e, value) => {
  const lane = laneAddress(e.operand(2, Access.READ).get());
  const first = v128.splat(15, i32.shl(lane, i32.constant(1)));
  const indices = v128.binary(Op.ADD8, IDENTITY, first);
  return v128.extractU16(v128.binary(Op.SWIZZLE, value, indices), 0);
});

/** PINSRW: the word in every lane, and a mask that is all ones in one of them. */
const insertWord: Semantics = (e) => {
  const word = e.read(1);
  const lane = laneAddress(e.operand(2, Access.READ).get());
  const numbers = v128.constant(bytes((index) => (index & 1 ? 0 : index >> 1)));
  const mask = e.let(v128.binary(BINARY.pcmpeqw, numbers, v128.splat(16, lane)));
  const destination = e.operand(0, Access.WRITE);
  const kept = v128.binary(Op.ANDNOT, e.let(destination.get()), mask);
  const value = e.sizeOf(1) === 8 ? i32.wrap(word) : word;
  destination.set(v128.binary(Op.OR, kept, v128.binary(Op.AND, v128.splat(16, value), mask)));
};

const table: Readonly<Record<string, Semantics>> = {
  ...Object.fromEntries(
    Object.entries(BINARY).map(([name, opcode]) => [name, combine((a, b) => v128.binary(opcode, a, b))]),
  ),
  pandn: combine((a, b) => v128.binary(Op.ANDNOT, b, a)),
  pmulhw: combine(highProducts(Op.EXTMUL_LOW_S, Op.EXTMUL_HIGH_S)),
  pmulhuw: combine(highProducts(Op.EXTMUL_LOW_U, Op.EXTMUL_HIGH_U)),
  pmuludq: combine((a, b) => v128.binary(Op.MUL64, evenDoubleword(a), evenDoubleword(b))),
  psadbw: sumOfDifferences,
  punpcklbw: combine(interleave(1, false)),
  punpcklwd: combine(interleave(2, false)),
  punpckldq: combine(interleave(4, false)),
  punpcklqdq: combine(interleave(8, false)),
  punpckhbw: combine(interleave(1, true)),
  punpckhwd: combine(interleave(2, true)),
  punpckhdq: combine(interleave(4, true)),
  punpckhqdq: combine(interleave(8, true)),
  psllw: laneShift(139, 16, false),
  psraw: laneShift(140, 16, true),
  psrlw: laneShift(141, 16, false),
  pslld: laneShift(171, 32, false),
  psrad: laneShift(172, 32, true),
  psrld: laneShift(173, 32, false),
  psllq: laneShift(203, 64, false),
  psrlq: laneShift(205, 64, false),
  pslldq: byteShift(Op.SUB8),
  psrldq: byteShift(Op.ADD8),
  pshufd: shuffleDoublewords,
  pshufhw: shuffleWords(true),
  pshuflw: shuffleWords(false),
  shufps,
  shufpd,
  pextrw: extractWord,
  pinsrw: insertWord,
  pmovmskb: extractInteger((_, value) => v128.bitmask(Op.BITMASK8, value)),
  movmskps: extractInteger((_, value) => v128.bitmask(Op.BITMASK32, value)),
  movmskpd: extractInteger((_, value) => v128.bitmask(Op.BITMASK64, value)),
  moveVector: moveVector(false),
  moveVectorAligned: moveVector(true),
  moveIntegerToVector: (e) => {
    const value = e.zeroExtended(e.read(1), e.sizeOf(1));
    e.operand(0, Access.WRITE).set(quadwords(value));
  },
  moveVectorToInteger: (e) => {
    const value = e.let(v128.extractI64(e.operand(1, Access.READ).get(), 0));
    e.operand(0, Access.WRITE).set(e.fromI64(value, e.sizeOf(0)));
  },
  moveLowQuadword,
  mergeLow32: replace((e, destination) =>
    v128.replaceI32(destination, 0, v128.extractI32(e.operand(1, Access.READ).get(), 0)),
  ),
  mergeLow64: replace((e, destination) => v128.replaceI64(destination, 0, lowQuadword(e, 1))),
  loadLow32: (e) => {
    const value = i64.extendU(e.read(1));
    e.operand(0, Access.WRITE).set(quadwords(value));
  },
  storeLow32: extract((value) => v128.extractI32(value, 0)),
  storeLow64: extract((value) => v128.extractI64(value, 0)),
  storeHighHalf: extract((value) => v128.extractI64(value, 1)),
  loadLowHalf: replace((e, destination) => v128.replaceI64(destination, 0, e.read(1))),
  loadHighHalf: replace((e, destination) => v128.replaceI64(destination, 1, e.read(1))),
  moveHighToLow: replace((e, destination) =>
    v128.replaceI64(destination, 0, v128.extractI64(e.operand(1, Access.READ).get(), 1)),
  ),
  moveLowToHigh: replace((e, destination) => v128.replaceI64(destination, 1, lowQuadword(e, 1))),
};

export const vector: Readonly<Record<string, Semantics>> = Object.fromEntries(
  Object.entries(table).map(([name, emit]) => [name, checked(emit)]),
);
