/** The `readMemory` request. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debuggee } from '../debuggee/debuggee.js';
import { encodeBase64 } from './base64.js';
import type { MemoryContext } from './memoryRange.js';
import { resolveMemory } from './memoryRange.js';

type ReadMemoryBody = NonNullable<DebugProtocol.ReadMemoryResponse['body']>;

const PAGE = 4096n;

/**
 * The readable bytes from the address on, in base64. `unreadableBytes` counts those behind them that are not mapped, up
 * to the next mapped page. Throws an Error with a user's message.
 */
export function readMemory(
  debuggee: Debuggee,
  args: DebugProtocol.ReadMemoryArguments,
  context: MemoryContext,
): ReadMemoryBody {
  const { address, translation } = resolveMemory(debuggee, args.memoryReference, args.offset ?? 0, context);
  const { machine } = debuggee;
  const bytes = machine.readLinear(address, args.count, translation);
  const body = { address: `0x${address.toString(16)}`, data: encodeBase64(bytes) };
  if (bytes.length === args.count) return body;

  const end = address + BigInt(args.count);
  let mapped = nextPage(address + BigInt(bytes.length));
  while (mapped < end && machine.readLinear(mapped, 1, translation).length === 0) mapped += PAGE;
  const unreadableEnd = mapped < end ? mapped : end;
  return { ...body, unreadableBytes: Number(unreadableEnd - address) - bytes.length };
}

const nextPage = (address: bigint): bigint => (address / PAGE + 1n) * PAGE;
