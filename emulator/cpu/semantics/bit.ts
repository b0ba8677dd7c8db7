/** Bit tests, bit scans, population count, byte reversal. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import { Access } from '../seams.js';
import type { Emitter, Place } from './emitter.js';
import { operationsOf } from './emitter.js';
import { FlagBit, FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

type Change = 'test' | 'set' | 'reset' | 'complement';

/**
 * The word that a bit test works on. A register offset reaches beyond a memory operand, signed (SDM 2A, BT); an
 * immediate one is taken modulo the operand size.
 */
function bitBase(e: Emitter, offset: Expression, access: number): Place {
  const [base, selectorShape] = e.shape.operands;
  const size = base.size;
  if (base.kind !== 'memory' || selectorShape.kind !== 'register') return e.operand(0, access);
  const bits = Math.log2(size * 8);
  const words = i64.shrS(e.signExtended(offset, size), i64.constant(bits));
  const bytes = i64.shl(words, i64.constant(Math.log2(size)));
  const address = e.cut(i64.add(e.offset(0), bytes), e.shape.addressSize);
  return e.memory({ operand: 0 }, e.let(address), size, access);
}

const bitTest =
  (change: Change): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const operations = operationsOf(size);
    const offset = e.read(1);
    const base = bitBase(e, offset, change === 'test' ? Access.READ : Access.READ | Access.WRITE);
    const position = size === 8 && e.shape.operands[1].kind === 'immediate' ? i64.extendU(offset) : offset;
    const index = e.let(operations.and(position, operations.constant(size * 8 - 1)));
    const value = e.let(base.get());
    const bit = operations.and(operations.shrU(value, index), operations.constant(1));
    const cf = e.let(size === 8 ? i32.wrap(bit) : bit);
    if (change !== 'test') {
      const mask = operations.shl(operations.constant(1), index);
      const inverse = operations.xor(mask, operations.constant(-1));
      const changed = {
        set: operations.or(value, mask),
        reset: operations.and(value, inverse),
        complement: operations.xor(value, mask),
      };
      base.set(changed[change]);
    }
    e.flags.setCarryOnly(cf);
  };

/** BSF and BSR: a source of 0 leaves the destination as it is. CF, OF, AF: 0; SF, PF: of the source. */
const scan =
  (forward: boolean): Semantics =>
  (e) => {
    const size = e.sizeOf(0);
    const operations = operationsOf(size);
    const source = e.read(1);
    const destination = e.operand(0, Access.WRITE);
    const index = forward
      ? operations.ctz(source)
      : operations.sub(operations.constant(operations.bits - 1), operations.clz(source));
    e.f.if(operations.ne(source, operations.constant(0)), () => destination.set(index));
    e.setFlags(FlagKind.CARRIED, size, { result: source, carry: i32.constant(0) });
  };

const popcnt: Semantics = (e) => {
  const size = e.sizeOf(0);
  const operations = operationsOf(size);
  const source = e.read(1);
  e.operand(0, Access.WRITE).set(operations.popcnt(source));
  e.flags.setAll(select(i32.constant(FlagBit.ZF), i32.constant(0), operations.eqz(source)));
};

/** Bytes in reverse order; of a 2-byte value the upper bits are garbage. */
function reversed(e: Emitter, value: Expression, size: number): Expression {
  if (size === 2) return i32.or(i32.shl(value, i32.constant(8)), i32.shrU(value, i32.constant(8)));
  if (size === 4) {
    const even = i32.and(i32.rotl(value, i32.constant(8)), i32.constant(0x00ff_00ff));
    return i32.or(even, i32.and(i32.rotr(value, i32.constant(8)), i32.constant(0xff00_ff00)));
  }
  const swap = (from: Expression, mask: bigint, places: number) => {
    const lower = i64.and(i64.shrU(from, i64.constant(places)), i64.constant(mask));
    return e.let(i64.or(i64.shl(i64.and(from, i64.constant(mask)), i64.constant(places)), lower));
  };
  const bytes = swap(value, 0x00ff_00ff_00ff_00ffn, 8);
  return i64.rotl(swap(bytes, 0x0000_ffff_0000_ffffn, 16), i64.constant(32));
}

const bswap: Semantics = (e) => {
  const size = e.sizeOf(0);
  const register = e.operand(0, Access.READ | Access.WRITE);
  // Of 16 bits the result is undefined (SDM 2A, BSWAP): processors give 0.
  register.set(size === 2 ? i32.constant(0) : reversed(e, e.let(register.get()), size));
};

const movbe: Semantics = (e) => {
  const value = e.read(1);
  e.operand(0, Access.WRITE).set(reversed(e, value, e.sizeOf(0)));
};

export const bit: Readonly<Record<string, Semantics>> = {
  bt: bitTest('test'),
  bts: bitTest('set'),
  btr: bitTest('reset'),
  btc: bitTest('complement'),
  bsf: scan(true),
  bsr: scan(false),
  popcnt,
  bswap,
  movbe,
};
