/** The `disassemble` request. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { World } from '../../emulator/machine/machineTypes.js';
import { parseReference } from '../breakpoints/reference.js';
import type { Debuggee } from '../debuggee/debuggee.js';
import type { CodeSpace } from './codeSpace.js';
import { codeSpaceOfWorld } from './codeSpace.js';
import type { CodeGenerations } from './generations.js';
import type { InstructionRow } from './instructionReader.js';
import { bytesText } from './instructionReader.js';
import { withoutGeneration } from './instructionReference.js';
import { rowsAround } from './rows.js';
import { symbolStartingAt } from './symbols.js';

/** Which guest, and which world an address without one is meant in: those of the focused frame. */
export interface DisassembleContext {
  readonly world: World;
  readonly vmcs: number | undefined;
}

/** Exactly `instructionCount` rows. Throws an Error with a user's message for a reference that is none. */
export function disassemble(
  debuggee: Debuggee,
  args: DebugProtocol.DisassembleArguments,
  context: DisassembleContext,
  generations?: CodeGenerations,
): DebugProtocol.DisassembledInstruction[] {
  const { world, address } = parseReference(withoutGeneration(args.memoryReference), context.world);
  const space = codeSpaceOfWorld(debuggee, world, context.vmcs);
  const base = address + BigInt(args.offset ?? 0);
  const rows = rowsAround(space, base, args.instructionOffset ?? 0, args.instructionCount);
  generations?.note(space, rows);
  return describeRows(space, rows, args.resolveSymbols ?? true);
}

function describeRows(
  space: CodeSpace,
  rows: readonly InstructionRow[],
  resolveSymbols: boolean,
): DebugProtocol.DisassembledInstruction[] {
  let shownPlace: string | undefined;
  return rows.map((row) => {
    const place = placeOf(space, row);
    const placeName = place && `${place.location.path}:${place.line}`;
    const isNewPlace = place !== undefined && placeName !== shownPlace;
    shownPlace = placeName ?? shownPlace;
    const symbol = resolveSymbols ? symbolStartingAt(space, row.address) : undefined;
    return {
      address: addressText(row.address),
      instruction: row.text,
      ...(row.bytes.length > 0 && { instructionBytes: bytesText(row.bytes) }),
      ...(symbol !== undefined && { symbol }),
      ...(isNewPlace && place),
      ...(!row.isValid && { presentationHint: 'invalid' as const }),
    };
  });
}

function placeOf(space: CodeSpace, row: InstructionRow) {
  if (!row.isValid) return undefined;
  const image = space.imageAt(row.address);
  const line = image?.debugInfo.lineAt(row.address);
  if (!image || !line || line.line === 0) return undefined;
  const path = image.sourcePath(line.file);
  const location: DebugProtocol.Source = { name: path.replace(/^.*[/\\]/, ''), path };
  return { location, line: line.line, ...(line.column > 0 && { column: line.column }) };
}

/** Rows before address 0 have negative addresses, which the protocol writes in decimal: so they stay in order. */
function addressText(address: bigint): string {
  return address < 0n ? address.toString() : `0x${address.toString(16)}`;
}
