/** Frames as DAP shows them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import { formatReference } from '../breakpoints/reference.js';
import type { CodeFrame, Frame } from '../stack/frame.js';

/** A generated listing for a frame without source. */
export type ListingOf = (frame: CodeFrame) => { source: DebugProtocol.Source; line: number } | undefined;

export function stackTraceBody(
  frames: readonly Frame[],
  args: DebugProtocol.StackTraceArguments,
  listingOf: ListingOf,
): DebugProtocol.StackTraceResponse['body'] {
  const start = args.startFrame ?? 0;
  const count = args.levels ? args.levels : frames.length;
  const behindExit = isBehindExit(frames);
  return {
    totalFrames: frames.length,
    stackFrames: frames.slice(start, start + count).map((frame) => stackFrame(frame, listingOf, behindExit)),
  };
}

/** Stopped in the glue right behind a VM exit: the user looks at the guest's instruction, not at the host. */
export function isBehindExit(frames: readonly Frame[]): boolean {
  const [top] = frames;
  return top?.kind === 'code' && top.isGlue && frames.some(({ kind }) => kind === 'label');
}

function stackFrame(frame: Frame, listingOf: ListingOf, behindExit: boolean): DebugProtocol.StackFrame {
  if (frame.kind === 'label') {
    return { id: frame.id, name: frame.name, line: 0, column: 0, presentationHint: 'label' };
  }
  const { source, line, column } = placeOf(frame, listingOf);
  // VS Code focuses the first frame whose source is not deemphasized.
  const deemphasize = frame.isGlue || (behindExit && frame.world === 'root');
  return {
    id: frame.id,
    name: frame.name,
    line,
    column,
    source: source && deemphasize ? { ...source, presentationHint: 'deemphasize' } : source,
    instructionPointerReference: formatReference(frame.world, frame.pc),
    presentationHint: frame.isGlue ? 'subtle' : 'normal',
  };
}

function placeOf(
  frame: CodeFrame,
  listingOf: ListingOf,
): { source?: DebugProtocol.Source; line: number; column: number } {
  if (!frame.place) {
    const listing = listingOf(frame);
    return { source: listing?.source, line: listing?.line ?? 0, column: 1 };
  }
  const { file, line, column } = frame.place;
  return { source: { name: file.replace(/^.*[/\\]/, ''), path: file }, line, column: Math.max(1, column) };
}
