/** The locals of a region's function: general registers, lazy flags, budget; and how it begins and leaves. */
import type { Expression, Local } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import type { Label } from '../../wasm/functionBuilder.js';
import { layout } from '../layout.js';
import type { Place } from '../semantics/emitter.js';
import type { FlagStore, KnownFlags } from '../semantics/flagState.js';

const ZERO = i32.constant(0);

/** A local that is loaded from the CPU state when the region begins, and stored when it ends if it was written. */
interface CachedField {
  readonly local: Local;
  readonly offset: number;
  readonly place: Place;
  written: boolean;
}

export class RegionFrame {
  readonly f = new FunctionBuilder([i32.type], [i32.type]);
  /** Parameter 0: the entry at which the region begins; later, which start of a loop is meant. */
  readonly start = this.f.parameter(0);
  readonly budget = this.f.local(i32.type);
  readonly tlbBank = this.f.local(i32.type);
  /** Result of the function: 0, to go on at RIP, or the site at which the region left. */
  private readonly left = this.f.local(i32.type);
  /** RIP to go on at. */
  private readonly rip = this.f.local(i64.type);
  private readonly cached = new Map<number, CachedField>();
  /** Goes to the end of the function. */
  exit!: Label;

  /** Kind of the lazy flags where it is known; its local does not have it before `sealKind`. */
  private kind: number | undefined;
  private kindSealed = true;
  /** What the previous instruction left for a condition to be computed from directly. */
  known: KnownFlags | undefined;

  private field(offset: number, type: Local['type']): CachedField {
    let field = this.cached.get(offset);
    if (!field) this.cached.set(offset, (field = this.newField(offset, type)));
    return field;
  }

  private newField(offset: number, type: Local['type']): CachedField {
    const local = this.f.local(type);
    const place: Place = {
      get: () => local,
      set: (value) => {
        field.written = true;
        this.f.set(local, value);
      },
    };
    const field = { local, offset, place, written: false };
    return field;
  }

  /** A 64-bit field of the CPU state, kept in a local. */
  field64(offset: number): Place {
    return this.field(offset, i64.type).place;
  }

  readonly flagStore: FlagStore = {
    kind: { get: () => this.kindValue(), set: (value) => this.setKind(value) },
    result: this.field64(layout.flagsResult),
    a: this.field64(layout.flagsA),
    b: this.field64(layout.flagsB),
    carry: this.field(layout.flagsCarry, i32.type).place,
  };

  private get kindField(): CachedField {
    return this.field(layout.flagsKind, i32.type);
  }

  private kindValue(): Expression {
    return this.kind === undefined ? this.kindField.local : i32.constant(this.kind);
  }

  private setKind(value: Expression): void {
    if (value.constant === undefined) throw new Error('the kind of flags is a constant');
    this.kind = Number(value.constant);
    this.kindSealed = false;
  }

  /** The statically known kind, for a site. */
  get staticKind(): number | undefined {
    return this.kind;
  }

  /** Puts the kind where another block finds it. */
  sealKind(): void {
    if (this.kindSealed || this.kind === undefined) return;
    this.kindField.place.set(i32.constant(this.kind));
    this.kindSealed = true;
  }

  /** From here on the flags may have come from several instructions. */
  forgetKind(): void {
    this.sealKind();
    this.kind = undefined;
    this.kindSealed = true;
    this.known = undefined;
  }

  /** Leaves at a site, whose instruction was not executed. */
  leaveAt(site: number): void {
    this.f.set(this.left, i32.constant(site));
    this.f.branch(this.exit);
  }

  /** Leaves; execution goes on at a RIP. The kind of the flags must be sealed. */
  leaveTo(rip: Expression): void {
    this.f.set(this.rip, rip);
    this.f.branch(this.exit);
  }

  /** Emits what comes before and behind the body, which is complete now. */
  finish(): void {
    const { f } = this;
    f.prologue(() => {
      f.set(this.budget, i32.load(ZERO, layout.budget));
      f.set(this.tlbBank, i32.load(ZERO, layout.tlbBank));
      for (const { local, offset } of this.cached.values()) {
        f.set(local, local.type === i64.type ? i64.load(ZERO, offset) : i32.load(ZERO, offset));
      }
    });
    for (const { local, offset, written } of this.cached.values()) {
      if (!written) continue;
      if (local.type === i64.type) f.store64(ZERO, local, offset);
      else f.store32(ZERO, local, offset);
    }
    f.store32(ZERO, this.budget, layout.budget);
    f.store64(ZERO, this.rip, layout.rip);
    f.return(this.left);
    f.unreachable();
  }
}
