/** MOV and its kin, exchanges, conditional moves, selectors, single flags. */
import { i32, i64, select } from '../../wasm/expression.js';
import { Vector } from '../fault.js';
import { Access } from '../seams.js';
import { operationsOf } from './emitter.js';
import type { Emitter } from './emitter.js';
import { FlagBit, FlagKind } from './flagKind.js';
import type { Semantics } from './semantics.js';

const READ_WRITE = Access.READ | Access.WRITE;
const [RAX, RCX, RDX, RBX] = [0, 1, 2, 3];

const mov: Semantics = (e) => {
  const value = e.read(1);
  e.operand(0, Access.WRITE).set(value);
};

const movzx: Semantics = (e) => {
  const value = e.zeroExtended(e.operand(1, Access.READ).get(), e.sizeOf(1));
  e.operand(0, Access.WRITE).set(e.fromI64(value, e.sizeOf(0)));
};

const movsx: Semantics = (e) => {
  const value = e.signExtended(e.operand(1, Access.READ).get(), e.sizeOf(1));
  e.operand(0, Access.WRITE).set(e.fromI64(value, e.sizeOf(0)));
};

const lea: Semantics = (e) => {
  e.operand(0, Access.WRITE).set(e.fromI64(e.offset(1), e.sizeOf(0)));
};

const xchg: Semantics = (e) => {
  const first = e.operand(0, READ_WRITE);
  const second = e.operand(1, READ_WRITE);
  const a = e.let(first.get());
  const b = e.let(second.get());
  second.set(a);
  first.set(b);
};

const cmpxchg: Semantics = (e) => {
  const size = e.sizeOf(0);
  const operations = operationsOf(size);
  const destination = e.operand(0, READ_WRITE);
  const accumulator = e.general(RAX, size);
  const a = e.let(accumulator.get());
  const b = e.let(destination.get());
  const source = e.read(1);
  const equal = e.let(operations.eq(a, b));
  const result = operations.sub(a, b);
  // The old value is written back when they differ (SDM 2A, CMPXCHG).
  if (e.shape.operands[0].kind === 'memory') destination.set(select(source, b, equal));
  e.f.if(
    equal,
    () => {
      if (e.shape.operands[0].kind === 'register') destination.set(source);
    },
    () => accumulator.set(b),
  );
  e.setFlags(FlagKind.SUB, size, { result, a, b });
};

/** CMPXCHG8B and CMPXCHG16B; the latter wants alignment. */
const cmpxchgPair: Semantics = (e) => {
  const size = e.sizeOf(0);
  const half = size / 2;
  const operations = operationsOf(half);
  const memory =
    size === 16
      ? e.alignedMemory(0, size, READ_WRITE, Vector.GP)
      : e.memory({ operand: 0 }, e.offset(0), size, READ_WRITE);
  const [lowPart, highPart] = [memory.part(0, half), memory.part(half, half)];
  const low = e.let(lowPart.get());
  const high = e.let(highPart.get());
  const sameLow = operations.eq(low, e.general(RAX, half).get());
  const equal = e.let(i32.and(sameLow, operations.eq(high, e.general(RDX, half).get())));
  lowPart.set(select(e.general(RBX, half).get(), low, equal));
  highPart.set(select(e.general(RCX, half).get(), high, equal));
  memory.finish();
  e.f.if(i32.eqz(equal), () => {
    e.general(RAX, half).set(low);
    e.general(RDX, half).set(high);
  });
  e.flags.replace(FlagBit.ZF, i32.shl(equal, i32.constant(Math.log2(FlagBit.ZF))));
};

/** The destination is written in any case: of 32 bits, its upper half becomes 0. */
const cmovcc: Semantics = (e) => {
  const source = e.read(1);
  const destination = e.operand(0, READ_WRITE);
  const condition = e.let(e.condition());
  destination.set(select(source, destination.get(), condition));
};

const setcc: Semantics = (e) => {
  const destination = e.operand(0, Access.WRITE);
  destination.set(e.condition());
};

const xlat: Semantics = (e) => {
  const index = i64.extendU(e.general(RAX, 1).get());
  const offset = e.let(e.cut(i64.add(e.offset(0), index), e.shape.addressSize));
  const value = e.let(e.memory({ operand: 0 }, offset, 1, Access.READ).get());
  e.general(RAX, 1).set(value);
};

/** MOV from a segment register: 16 bits to memory, zero-extended to a register. */
const storeSelector: Semantics = (e) => {
  const size = e.sizeOf(0);
  const selector = e.selector(1);
  e.operand(0, Access.WRITE).set(size === 8 ? i64.extendU(selector) : selector);
};

const arpl: Semantics = (e) => {
  const destination = e.operand(0, READ_WRITE);
  const selector = e.let(destination.get());
  const rpl = e.let(i32.and(e.read(1), i32.constant(3)));
  const raise = e.let(i32.ltU(i32.and(selector, i32.constant(3)), rpl));
  destination.set(select(i32.or(i32.and(selector, i32.constant(~3)), rpl), selector, raise));
  e.flags.replace(FlagBit.ZF, i32.shl(raise, i32.constant(Math.log2(FlagBit.ZF))));
};

const bound: Semantics = (e) => {
  const size = e.sizeOf(0);
  const index = e.let(e.signExtended(e.read(0), size));
  const bounds = e.memory({ operand: 1 }, e.offset(1), 2 * size, Access.READ);
  const limit = (offset: number) => e.signExtended(bounds.part(offset, size).get(), size);
  const lower = e.let(limit(0));
  const upper = e.let(limit(size));
  e.raiseIf(i32.or(i64.ltS(index, lower), i64.gtS(index, upper)), Vector.BR);
};

/** CLFLUSH: caches do not exist here; the address is checked as a load is. */
const probe: Semantics = (e) => {
  e.operand(0, Access.READ);
};

const nop: Semantics = () => undefined;

const setCarry = (change: (carry: ReturnType<Emitter['let']>) => ReturnType<Emitter['let']>): Semantics => {
  return (e) => {
    const flags = e.flags.all();
    e.flags.setAll(change(flags));
  };
};

const CF = i32.constant(FlagBit.CF);
const DIRECTION = 0x400;

const setDirection =
  (down: boolean): Semantics =>
  (e) => {
    const flags = e.systemFlags;
    const kept = i32.and(flags.get(), i32.constant(~DIRECTION));
    flags.set(i32.or(kept, i32.constant(down ? DIRECTION : 0)));
  };

/** SF, ZF, AF, PF, CF. */
const AH_FLAGS = 0xd5;

const lahf: Semantics = (e) => {
  e.general(RAX, 1, true).set(i32.or(e.flags.all(), i32.constant(2)));
};

const sahf: Semantics = (e) => {
  const ah = i32.and(e.general(RAX, 1, true).get(), i32.constant(AH_FLAGS));
  e.flags.replace(AH_FLAGS, e.let(ah));
};

export const move: Readonly<Record<string, Semantics>> = {
  mov,
  movzx,
  movsx,
  lea,
  xchg,
  cmpxchg,
  cmpxchg8b: cmpxchgPair,
  cmpxchg16b: cmpxchgPair,
  cmovcc,
  setcc,
  xlat,
  storeSelector,
  arpl,
  bound,
  probe,
  nop,
  cmc: setCarry((flags) => i32.xor(flags, CF)),
  stc: setCarry((flags) => i32.or(flags, CF)),
  clc: setCarry((flags) => i32.and(flags, i32.constant(~FlagBit.CF))),
  cld: setDirection(false),
  std: setDirection(true),
  lahf,
  sahf,
};
