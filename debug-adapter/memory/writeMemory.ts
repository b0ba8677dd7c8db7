/** The `writeMemory` request. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debuggee } from '../debuggee/debuggee.js';
import { decodeBase64 } from './base64.js';
import type { MemoryContext } from './memoryRange.js';
import { resolveMemory } from './memoryRange.js';
import { RequestError } from '../session/requestError.js';

type WriteMemoryBody = NonNullable<DebugProtocol.WriteMemoryResponse['body']>;

/** Writes RAM. Without `allowPartial` all bytes or none. Throws an Error with a user's message. */
export function writeMemory(
  debuggee: Debuggee,
  args: DebugProtocol.WriteMemoryArguments,
  context: MemoryContext,
): WriteMemoryBody {
  const offset = args.offset ?? 0;
  const { address, translation } = resolveMemory(debuggee, args.memoryReference, offset, context);
  const bytes = decodeBase64(args.data);
  const { machine } = debuggee;
  const writable = machine.readLinear(address, bytes.length, translation).length;
  if (writable < bytes.length && !args.allowPartial) {
    const firstHole = (address + BigInt(writable)).toString(16);
    throw new RequestError(`nothing written: there is no memory at 0x${firstHole}`);
  }
  return { bytesWritten: machine.writeLinear(address, bytes.subarray(0, writable), translation) };
}
