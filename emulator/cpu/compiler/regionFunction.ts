/** Builds the function of a region: structured control flow around the instructions of its blocks. */
import type { Instruction } from '../../isa/instruction.js';
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import type { FunctionBuilder, Label } from '../../wasm/functionBuilder.js';
import { RECORD_SIZE } from '../interpreter/record.js';
import { semantics } from '../semantics/semantics.js';
import type { FlowLoop, FlowNode, FlowSequence } from './controlFlow.js';
import { RegionEmitter } from './regionEmitter.js';
import type { EmitterEnvironment, RegionExits } from './regionEmitter.js';
import { RegionFrame } from './regionFrame.js';
import { BUDGET_MARGIN, DYNAMIC_KIND, NO_ENTRY } from './regionLayout.js';
import type { PlannedInstruction, RegionBlock, RegionPlan } from './regionPlan.js';

const PAGE = 4096;

/** What the function of a region refers to. */
export interface RegionEnvironment extends EmitterEnvironment {
  /** Table of the entries of the page. */
  readonly entryTable: number;
  /** Makes a site: leave at the instruction `index` of the block, of which `left` are paid for and not executed. */
  addSite(block: RegionBlock, index: number, left: number, kind: number): number;
}

/** How a jump reaches a block of the region. */
interface Target {
  readonly label: Label;
  /** The label starts a sequence with several starts: `start` must say which. */
  readonly indexed: boolean;
  /** The jump goes back: the budget is tested. */
  readonly back: boolean;
}

export function buildRegion(plan: RegionPlan, environment: RegionEnvironment): FunctionBuilder {
  return new RegionBuilder(plan, environment).build();
}

class RegionBuilder implements RegionExits {
  private readonly frame = new RegionFrame();
  private readonly f = this.frame.f;
  private readonly targets = new Map<number, Target>();
  /** The most instructions that can have been retired since the last test when a block begins. */
  private readonly path = new Map<number, number>();
  private readonly ripMask: bigint;
  /** Starts the whole region at the entry in `start`. */
  private dispatch!: Label;
  private block!: RegionBlock;
  private index = 0;

  constructor(
    private readonly plan: RegionPlan,
    private readonly environment: RegionEnvironment,
  ) {
    this.ripMask = plan.mode.width === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  }

  build(): FunctionBuilder {
    const { f, frame } = this;
    f.block((exit) => {
      frame.exit = exit;
      f.loop((dispatch) => {
        this.dispatch = dispatch;
        this.sequence(this.plan.flow);
      });
      f.unreachable();
    });
    frame.finish();
    return f;
  }

  // -------------------------------------------------------------- control flow

  /** Nested blocks: leaving one leads to the node behind it. */
  private sequence({ nodes, starts }: FlowSequence): void {
    const { f } = this;
    const labels: Label[] = [];
    const nest = (depth: number): void => {
      f.block((label) => {
        labels[depth] = label;
        this.aim(nodes[depth], label);
        if (depth > 0) {
          nest(depth - 1);
          this.node(nodes[depth - 1]);
        } else {
          this.begin(nodes, starts, labels);
        }
      });
    };
    nest(nodes.length - 1);
    this.node(nodes[nodes.length - 1]);
  }

  /** Goes to the node that holds the wanted start. */
  private begin(nodes: readonly FlowNode[], starts: readonly number[], labels: readonly Label[]): void {
    const { f, frame } = this;
    const nodeOf = (start: number) => nodes.findIndex((node) => startsOf(node).includes(start));
    const first = labels[nodeOf(starts[0])];
    if (starts.length === 1) {
      f.branch(first);
      return;
    }
    const byBlock = new Map(starts.map((start) => [start, labels[nodeOf(start)]]));
    const table = Array.from({ length: Math.max(...starts) + 1 }, (_, id) => byBlock.get(id) ?? first);
    f.branchTable(frame.start, table, first);
  }

  private aim(node: FlowNode, label: Label): void {
    if (node.kind === 'block') {
      // A loop's entry is reached through the start of the loop.
      if (!this.targets.get(node.block)?.back) {
        this.targets.set(node.block, { label, indexed: false, back: false });
      }
      return;
    }
    const indexed = node.body.starts.length > 1;
    for (const entry of node.entries) {
      if (!this.targets.get(entry)?.back) this.targets.set(entry, { label, indexed, back: false });
    }
  }

  private node(node: FlowNode): void {
    if (node.kind === 'block') this.emitBlock(this.plan.blocks[node.block]);
    else this.loop(node);
  }

  private loop({ entries, body }: FlowLoop): void {
    const saved = entries.map((entry) => this.targets.get(entry));
    this.f.loop((label) => {
      for (const entry of entries) {
        this.targets.set(entry, { label, indexed: body.starts.length > 1, back: true });
      }
      this.sequence(body);
    });
    this.f.unreachable();
    entries.forEach((entry, index) => {
      const target = saved[index];
      if (target) this.targets.set(entry, target);
    });
  }

  goTo(rip: bigint): void {
    const offset = Number(BigInt.asIntN(64, rip - this.plan.pageRip));
    const block = this.plan.at.get(offset);
    const target = block && this.targets.get(block.id);
    if (!target) {
      this.frame.leaveTo(i64.constant(rip));
      return;
    }
    if (target.back) this.testBudget(rip);
    else this.walk(block.id, this.pathBehind);
    if (target.indexed) this.f.set(this.frame.start, i32.constant(block.id));
    this.f.branch(target.label);
  }

  goToIndirect(rip: Expression): void {
    const { f, frame, plan, environment } = this;
    const offset = f.let(i64.sub(rip, i64.constant(plan.pageRip)));
    f.if(i64.ltU(offset, i64.constant(PAGE)), () => {
      const entry = i32.shl(i32.wrap(offset), i32.constant(1));
      f.set(frame.start, i32.load16U(entry, environment.entryTable));
      const known = i32.ne(frame.start, i32.constant(NO_ENTRY));
      f.branchIf(this.dispatch, i32.and(known, i32.geS(frame.budget, i32.constant(BUDGET_MARGIN))));
    });
    frame.leaveTo(rip);
  }

  /** Leaves when too little is left for the way to the next test. */
  private testBudget(rip: bigint): void {
    const { f, frame } = this;
    const spent = i32.ltS(frame.budget, i32.constant(BUDGET_MARGIN));
    f.unlikely(spent, () => frame.leaveTo(i64.constant(rip)));
  }

  private walk(block: number, path: number): void {
    this.path.set(block, Math.max(this.path.get(block) ?? 0, path));
  }

  private get pathBehind(): number {
    return (this.path.get(this.block.id) ?? 0) + this.block.instructions.length;
  }

  // -------------------------------------------------------------- blocks

  private emitBlock(block: RegionBlock): void {
    const { f, frame } = this;
    this.block = block;
    const count = block.instructions.length;
    const blockRip = this.plan.pageRip + BigInt(block.source.start);
    frame.forgetKind();
    if (this.pathBehind > BUDGET_MARGIN) {
      this.testBudget(blockRip);
      this.path.set(block.id, 0);
    }
    f.set(frame.budget, i32.sub(frame.budget, i32.constant(count)));
    block.instructions.forEach((planned, index) => {
      this.index = index;
      this.instruction(planned, index);
    });
    if (block.ending === 'branch') return;
    frame.sealKind();
    if (block.ending === 'falls') {
      this.goTo((this.plan.pageRip + BigInt(block.end)) & this.ripMask);
    } else {
      this.index = count;
      frame.leaveAt(this.site());
    }
  }

  private instruction(planned: PlannedInstruction, index: number): void {
    const { f, frame } = this;
    const emit = semantics.get(planned.shape.semantics);
    if (!emit) throw new Error(`no semantics for ${planned.shape.semantics}`);
    const emitter = new RegionEmitter(frame, this, this.environment, this.ripMask, planned);
    emit(emitter);
    // The operands of a comparison outlive it when the next instruction looks at them.
    const next = this.block.instructions.at(index + 1);
    const isRead = !emitter.ended && next !== undefined && readsFlags(next.instruction);
    const { known } = emitter.flags;
    frame.known = isRead && known !== frame.known ? known : undefined;
    if (!frame.known) f.releaseTemporaries();
  }

  site(): number {
    const kind = this.frame.staticKind ?? DYNAMIC_KIND;
    const left = this.block.instructions.length - this.index;
    return this.environment.addSite(this.block, this.index, left, kind);
  }
}

const readsFlags = ({ condition, row }: Instruction) => condition >= 0 || row.reads !== undefined;

const startsOf = (node: FlowNode): readonly number[] =>
  node.kind === 'block' ? [node.block] : node.body.starts;

/** Record of an instruction of a block that begins at `first`. */
export const recordOf = (first: number, index: number): number => first + index * RECORD_SIZE;
