/** Chooses what a region consists of: the executed blocks of a page, cut where another of them begins. */
import { isInstruction } from '../../isa/decoder.js';
import type { Instruction } from '../../isa/instruction.js';
import type { Block, LinearPage } from '../interpreter/blocks.js';
import { BlockBuilding, eventOf, FALLS_THROUGH, isBranch } from '../interpreter/blockBuilding.js';
import { field, Handler } from '../interpreter/record.js';
import type { CodeMode } from '../interpreter/shapeOf.js';
import { semanticsName, shapeOf } from '../interpreter/shapeOf.js';
import type { InstructionShape } from '../semantics/shape.js';
import type { LinearMemory } from '../state.js';
import { loopHeaders, reachable, structure } from './controlFlow.js';
import type { FlowSequence } from './controlFlow.js';

/** More blocks make a function that V8 takes long to optimize. */
const MAX_BLOCKS = 150;

export interface PlannedInstruction {
  readonly instruction: Instruction;
  readonly shape: InstructionShape;
}

/** A stretch of instructions that is entered at its first one only. */
export interface RegionBlock {
  readonly id: number;
  /** The block of the interpreter that begins at the same place. */
  readonly source: Block;
  readonly instructions: readonly PlannedInstruction[];
  /**
   * How it ends: with a branch; by running into what lies at `end`; by leaving to the interpreter at the instruction
   * there, which is not compiled.
   */
  readonly ending: 'branch' | 'falls' | 'leaves';
  /** Offset in the page behind the last instruction. */
  readonly end: number;
}

export interface RegionPlan {
  readonly page: LinearPage;
  readonly mode: CodeMode;
  readonly pageRip: bigint;
  readonly blocks: readonly RegionBlock[];
  /** Region blocks by offset in the page. */
  readonly at: ReadonlyMap<number, RegionBlock>;
  /** Ids of the blocks at which the region can be entered. */
  readonly entries: readonly number[];
  readonly flow: FlowSequence;
}

/** Can instructions of this mode be compiled at all? Where every branch checks the CS limit it does not pay. */
export const isCompilableMode = ({ width, codeChecked }: CodeMode): boolean => width !== 16 && !codeChecked;

/** An iteration of a repeated string instruction is the interpreter's; so is what checks a segment's limit. */
function isCompilable({ instruction, shape }: PlannedInstruction): boolean {
  const checked =
    shape.stackSegment === 'checked' ||
    shape.extraSegment === 'checked' ||
    shape.operands.some((operand) => operand.kind === 'memory' && operand.segment === 'checked');
  return instruction.repeat === 'none' && !checked;
}

/** Offset in the page of a relative branch's target; outside 0-4095 when it lies elsewhere. */
export const targetOffset = (instruction: Instruction, pageRip: bigint): number =>
  Number(BigInt.asIntN(64, instruction.target - pageRip));

const isRelative = ({ row }: Instruction) => row.operands[0] === 'Jb' || row.operands[0] === 'Jz';

/** Offsets in the page that control can go to at the end of a block without leaving through RIP. */
export function successorOffsets({ instructions, ending, end }: RegionBlock, pageRip: bigint): number[] {
  if (ending === 'falls') return [end];
  const last = instructions.at(-1)?.instruction;
  if (ending === 'leaves' || !last) return [];
  const offsets = isRelative(last) ? [targetOffset(last, pageRip)] : [];
  if (FALLS_THROUGH.has(semanticsName(last))) offsets.push(end);
  return offsets;
}

/** Blocks that can be compiled: of one page, beginning with an instruction. */
function candidates(memory: LinearMemory, page: LinearPage): Block[] {
  const isCode = ({ record, secondPage }: Block) =>
    secondPage < 0 && memory.u16[(record + field.handler) >> 1] !== Handler.EVENT;
  const all = [...page.blocks.values()].filter(isCode);
  // A block that began where a budget ended or an interrupt returned is part of another one: it splits that for nothing.
  const ends = new Map<number, Block[]>();
  for (const block of all) {
    const end = block.start + block.length;
    ends.set(end, [...(ends.get(end) ?? []), block]);
  }
  const isPart = (block: Block) =>
    !block.isTarget && (ends.get(block.start + block.length) ?? []).some(({ start }) => start < block.start);
  return all.filter((block) => !isPart(block)).sort((a, b) => a.start - b.start);
}

/** Cuts the blocks of a page into groups for regions of a good size, where functions seem to begin. */
function groups(blocks: readonly Block[]): Block[][] {
  const count = Math.ceil(blocks.length / MAX_BLOCKS);
  const size = Math.ceil(blocks.length / count);
  const found: Block[][] = [];
  let from = 0;
  while (from < blocks.length) {
    let to = Math.min(from + size, blocks.length);
    const ideal = to;
    while (to < blocks.length && to > ideal - size / 4 && !blocks[to].isEntered) to -= 1;
    if (to < blocks.length && !blocks[to].isEntered) to = ideal;
    found.push(blocks.slice(from, to));
    from = to;
  }
  return found;
}

function planBlock(
  memory: LinearMemory,
  source: Block,
  id: number,
  starts: ReadonlySet<number>,
): RegionBlock {
  const { page } = source;
  const { mode } = page.context;
  const building = new BlockBuilding(
    memory,
    {
      ...page,
      linearLow: 0,
      linearHigh: 0,
      ripLow: (page.ripLow + source.start) | 0,
      physical: source.physical,
    },
    () => -1,
  );
  const count = memory.u8[source.record + field.remaining];
  const instructions: PlannedInstruction[] = [];
  let end = source.start;
  let ending: RegionBlock['ending'] = 'falls';
  while (instructions.length < count && ending === 'falls') {
    if (instructions.length > 0 && starts.has(end)) break;
    const instruction = building.next(false);
    if (instruction === 'unfetchable') break;
    const planned =
      isInstruction(instruction) && !eventOf(instruction)
        ? { instruction, shape: shapeOf(instruction, mode) }
        : undefined;
    if (!planned || !isCompilable(planned)) {
      ending = 'leaves';
      break;
    }
    instructions.push(planned);
    end = building.end;
    if (isBranch(planned.instruction)) ending = 'branch';
  }
  return { id, source, instructions, ending, end };
}

/** Plans the regions of a page: none when there is nothing to compile. */
export function planRegions(memory: LinearMemory, page: LinearPage): RegionPlan[] {
  return groups(candidates(memory, page)).flatMap((sources) => planRegion(memory, page, sources) ?? []);
}

function planRegion(
  memory: LinearMemory,
  page: LinearPage,
  sources: readonly Block[],
): RegionPlan | undefined {
  const { mode } = page.context;
  const pageRip = (BigInt(page.ripHigh >>> 0) << 32n) | BigInt(page.ripLow >>> 0);
  const starts = new Set(sources.map(({ start }) => start));
  const blocks = sources
    .map((source) => planBlock(memory, source, 0, starts))
    .filter(({ instructions }) => instructions.length > 0)
    .map((block, id) => ({ ...block, id }));
  const at = new Map(blocks.map((block) => [block.source.start, block]));
  const next = blocks.map((block) =>
    successorOffsets(block, pageRip).flatMap((offset) => at.get(offset)?.id ?? []),
  );
  const successors = (id: number) => next[id];
  const entered = blocks.filter(({ source }) => source.isEntered).map(({ id }) => id);
  if (entered.length === 0) return undefined;
  const members = reachable(entered, successors);
  const plain = structure(members, successors, entered, new Set(entered));
  // Loops can be entered where they start: what left one comes back in there.
  const entries = [...new Set([...entered, ...loopHeaders(plain)])].sort((a, b) => a - b);
  const flow = structure(members, successors, entries, new Set(entries));
  return { page, mode, pageRip, blocks, at, entries, flow };
}
