/** Frames as DAP shows them. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { CodeFrame, Frame } from '../stack/frame.js';

/** What the frames need of the session. */
export interface FramePlaces {
  /** Source file or generated listing, and the line there. */
  placeOf(frame: CodeFrame): { source: DebugProtocol.Source; line: number; column: number };
  /** Reference to the code at the frame's pc. */
  codeReference(frame: CodeFrame): string;
}

export function stackTraceBody(
  frames: readonly Frame[],
  args: DebugProtocol.StackTraceArguments,
  places: FramePlaces,
): DebugProtocol.StackTraceResponse['body'] {
  const start = args.startFrame ?? 0;
  const count = args.levels ? args.levels : frames.length;
  const behindExit = isBehindExit(frames);
  return {
    totalFrames: frames.length,
    stackFrames: frames.slice(start, start + count).map((frame) => stackFrame(frame, places, behindExit)),
  };
}

/** Stopped in the glue right behind a VM exit: the user looks at the guest's instruction, not at the host. */
export function isBehindExit(frames: readonly Frame[]): boolean {
  const [top] = frames;
  return top?.kind === 'code' && top.isGlue && frames.some(({ kind }) => kind === 'label');
}

function stackFrame(frame: Frame, places: FramePlaces, behindExit: boolean): DebugProtocol.StackFrame {
  if (frame.kind === 'label') {
    return { id: frame.id, name: frame.name, line: 0, column: 0, presentationHint: 'label' };
  }
  const { source, line, column } = places.placeOf(frame);
  // VS Code focuses the first frame that is not subtle, and folds those that are.
  const subtle = frame.isGlue || (behindExit && frame.world === 'root');
  return {
    id: frame.id,
    name: frame.name,
    line,
    column,
    source,
    instructionPointerReference: places.codeReference(frame),
    presentationHint: subtle ? 'subtle' : 'normal',
  };
}
