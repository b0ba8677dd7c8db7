/** The arithmetic flags while code is emitted: how the last setter left them, and conditions on them. */
import type { Expression, IntegerOperations } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { Emitter, Place } from './emitter.js';
import { FLAG_KIND_MASK, FLAG_SIZE_SHIFT, FlagBit, FlagKind, flagKindOf } from './flagKind.js';
import type { HelperName } from './helpers.js';

/** Where a back end keeps the lazy flags: kind and carry are i32, the others i64. */
export interface FlagStore {
  readonly kind: Place;
  readonly result: Place;
  readonly a: Place;
  readonly b: Place;
  readonly carry: Place;
}

/** What is statically known of the last setter: operands of `operations`' type that compare as the flags say. */
export interface KnownFlags {
  readonly kind: FlagKind;
  readonly operations: IntegerOperations;
  readonly result: Expression;
  readonly a: Expression | undefined;
  readonly b: Expression | undefined;
}

const NEEDS_A: ReadonlySet<FlagKind> = new Set([
  FlagKind.ADD,
  FlagKind.SUB,
  FlagKind.ADC,
  FlagKind.SBB,
  FlagKind.SHL,
  FlagKind.SHR,
  FlagKind.SAR,
  FlagKind.IMUL,
]);

/** Kinds with CF in bit 0 of `carry`. */
const KEEPS_CARRY: ReadonlySet<FlagKind> = new Set([
  FlagKind.INC,
  FlagKind.DEC,
  FlagKind.CARRIED,
  FlagKind.EXPLICIT,
]);

/** Condition codes by their upper three bits (SDM 1 appendix B); the lowest bit negates. */
const Condition = { O: 0, B: 1, E: 2, BE: 3, S: 4, P: 5, L: 6, LE: 7 } as const;

export class FlagState {
  /** Set by an instruction that an emitter fuses with the next one. */
  known: KnownFlags | undefined;

  constructor(
    private readonly emitter: Emitter,
    private readonly store: FlagStore,
  ) {}

  /** Leaves the flags as an instruction on operands of `size` bytes does: see `FlagKind` for what each kind needs. */
  set(
    kind: FlagKind,
    size: number,
    values: { result: Expression; a?: Expression; b?: Expression; carry?: Expression },
  ): void {
    const { emitter, store } = this;
    const { f } = emitter;
    const wide = (value: Expression) => emitter.signExtended(value, size);
    const bound = (value: Expression | undefined) => value && f.let(size >= 4 ? value : wide(value));
    const stored = (value: Expression) => (size === 4 ? wide(value) : value);
    const result = f.let(size >= 4 ? values.result : wide(values.result));
    const a = bound(values.a);
    const b = bound(values.b);
    if (values.carry) store.carry.set(values.carry);
    store.result.set(stored(result));
    if (a && NEEDS_A.has(kind)) store.a.set(stored(a));
    if (b && kind === FlagKind.IMUL) store.b.set(stored(b));
    store.kind.set(i32.constant(flagKindOf(kind, size)));
    this.known = { kind, operations: size === 4 ? i32 : i64, result, a, b };
  }

  /** Sets CF alone and leaves ZF; what that does to the others the manual leaves open (BT and its kin). */
  setCarryOnly(carry: Expression): void {
    this.store.carry.set(carry);
    this.store.kind.set(i32.constant(flagKindOf(FlagKind.CARRIED, 8)));
    this.known = undefined;
  }

  /** The six flags where RFLAGS has them, i32, bound. */
  all(): Expression {
    return this.helper('allFlags');
  }

  /** Sets all six flags from an i32 in the format of RFLAGS. */
  setAll(flags: Expression): void {
    const { f } = this.emitter;
    const bits = f.let(flags);
    this.store.carry.set(bits);
    this.store.result.set(i64.extendU(i32.eqz(i32.and(bits, i32.constant(FlagBit.ZF)))));
    this.store.kind.set(i32.constant(flagKindOf(FlagKind.EXPLICIT, 8)));
    this.known = undefined;
  }

  /** The flags of `mask` change to those of `flags`, the others stay. */
  replace(mask: number, flags: Expression): void {
    const kept = i32.and(this.all(), i32.constant(~mask));
    this.setAll(i32.or(kept, flags));
  }

  private helper(name: HelperName): Expression {
    const { kind, result, a, b, carry } = this.store;
    return this.emitter.helper(name, [kind.get(), result.get(), a.get(), b.get(), carry.get()]);
  }

  /** CF, i32 0 or 1, bound. */
  carry(): Expression {
    return this.emitter.let(this.condition(Condition.B << 1));
  }

  /** ZF, i32 0 or 1. */
  zero(): Expression {
    return i64.eqz(this.store.result.get());
  }

  /** A condition code, i32 0 or 1. */
  condition(code: number): Expression {
    const negate = (code & 1) === 1;
    const test = code >> 1;
    const known = this.known ?? this.knownByKind();
    const direct = known && directCondition(known, test, negate);
    if (direct) return direct;
    if (test === Condition.B && this.keepsCarry()) {
      const carry = i32.and(this.store.carry.get(), i32.constant(1));
      return negate ? i32.eqz(carry) : carry;
    }
    const condition = this.general(test);
    return negate ? i32.eqz(condition) : condition;
  }

  /** The kind as a number where the back end knows it. */
  private get staticKind(): number | undefined {
    const { constant } = this.store.kind.get();
    return constant === undefined ? undefined : Number(constant);
  }

  /** What follows from a kind that the back end knows. */
  private knownByKind(): KnownFlags | undefined {
    const { staticKind } = this;
    if (staticKind === undefined) return undefined;
    const kind = (staticKind & FLAG_KIND_MASK) as FlagKind;
    const size = 1 << (staticKind >> FLAG_SIZE_SHIFT);
    const result = this.store.result.get();
    const a = this.store.a.get();
    const difference = i64.sub(a, result);
    const b = size === 8 ? difference : this.emitter.signExtended(i32.wrap(difference), size);
    return { kind, operations: i64, result, a, b };
  }

  /** Is CF bit 0 of `carry`? */
  private keepsCarry(): boolean {
    const { staticKind } = this;
    return staticKind !== undefined && KEEPS_CARRY.has((staticKind & FLAG_KIND_MASK) as FlagKind);
  }

  private general(test: number): Expression {
    switch (test) {
      case Condition.O:
        return this.helper('overflowFlag');
      case Condition.B:
        return this.helper('carryFlag');
      case Condition.E:
        return this.zero();
      case Condition.BE:
        return i32.or(this.helper('carryFlag'), this.zero());
      case Condition.S:
        return this.signFlag();
      case Condition.P:
        return this.helper('parityFlag');
      case Condition.L:
        return this.helper('signedLess');
      default:
        return i32.or(this.helper('signedLess'), this.zero());
    }
  }

  private signFlag(): Expression {
    const { kind, result, carry } = this.store;
    const explicit = i32.eq(
      i32.and(kind.get(), i32.constant(FLAG_KIND_MASK)),
      i32.constant(FlagKind.EXPLICIT),
    );
    const explicitSign = i32.and(i32.shrU(carry.get(), i32.constant(7)), i32.constant(1));
    return i32.or(
      i32.and(explicit, explicitSign),
      i32.and(i32.eqz(explicit), i64.ltS(result.get(), i64.constant(0))),
    );
  }
}

/** A condition as one comparison of what a known instruction worked on, or undefined. */
function directCondition(known: KnownFlags, test: number, negate: boolean): Expression | undefined {
  const { kind, operations, result, a, b } = known;
  const zero = operations.constant(0);
  if (kind === FlagKind.EXPLICIT || kind === FlagKind.CARRIED) return undefined;
  const isSubtraction = kind === FlagKind.SUB && a && b;
  const isLogic = kind === FlagKind.LOGIC;
  switch (test) {
    case Condition.E:
      return negate ? operations.ne(result, zero) : operations.eqz(result);
    case Condition.S:
      return negate ? operations.geS(result, zero) : operations.ltS(result, zero);
    case Condition.B:
      if (isSubtraction) return negate ? operations.geU(a, b) : operations.ltU(a, b);
      if (kind === FlagKind.ADD && a) return negate ? operations.geU(result, a) : operations.ltU(result, a);
      if (isLogic) return i32.constant(negate ? 1 : 0);
      return undefined;
    case Condition.BE:
      if (isSubtraction) return negate ? operations.gtU(a, b) : operations.leU(a, b);
      if (isLogic) return negate ? operations.ne(result, zero) : operations.eqz(result);
      return undefined;
    case Condition.L:
      if (isSubtraction) return negate ? operations.geS(a, b) : operations.ltS(a, b);
      if (isLogic) return negate ? operations.geS(result, zero) : operations.ltS(result, zero);
      return undefined;
    case Condition.LE:
      if (isSubtraction) return negate ? operations.gtS(a, b) : operations.leS(a, b);
      if (isLogic) return negate ? operations.gtS(result, zero) : operations.leS(result, zero);
      return undefined;
    default:
      return isLogic && test === Condition.O ? i32.constant(negate ? 1 : 0) : undefined;
  }
}
